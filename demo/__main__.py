"""Command line of the demo."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from rich.console import Console

from demo.failure import DemoError
from distillnerf_core.errors import DistillNerfError

TEXTS = ("automobile", "person walking", "tree", "building")
NEXT = """next:
  look at [bold]{out}/overview.png[/bold]; open [bold]{out}/result.mcap[/bold] in Foxglove or RViz
  distillnerf predict {out}/street_*.mcap --out predictions --query bicycle
  make demo ARGS="--text 'traffic cone' --text bus --seed 100123"
  make test, make bench, distillnerf --help"""


def main() -> int:
    """Runs the demo; returns the exit status."""
    options = _parser().parse_args()
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    _prepare_environment()
    from demo.run import DemoOptions, run_demo

    chosen = DemoOptions(
        out=options.out,
        checkpoint=options.checkpoint,
        texts=tuple(options.text or TEXTS),
        seed=options.seed,
        seconds=options.seconds,
        sweeps_hz=options.sweeps_hz,
        width=options.width,
        height=options.height,
        rate=options.rate,
    )
    try:
        run_demo(chosen, console)
    except (DemoError, DistillNerfError) as err:
        sys.stderr.write(f"demo: error: {err}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("demo: interrupted\n")
        return 130
    console.print(NEXT.format(out=options.out), highlight=False)
    return 0


def _prepare_environment() -> None:
    # A domain of its own: neither other robots nor another demo on this network take part.
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    # Threads that wait do not take the cores from other processes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Children load the ROS 2 wheels' libraries anew.
    os.environ.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description="Simulated streets, perceived live over DDS.")
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="folder for everything written")
    parser.add_argument("--checkpoint", default="", help="model; default: the one that ships with the package")
    parser.add_argument("--text", action="append", help="what to ask for; may be given several times")
    parser.add_argument("--seed", type=int, default=100_100, help="number of the street")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the drive")
    parser.add_argument("--sweeps-hz", type=float, default=2.0, help="sets of six images each second of the drive")
    parser.add_argument("--width", type=int, default=352, help="width of the camera images")
    parser.add_argument("--height", type=int, default=192, help="height of the camera images")
    parser.add_argument("--rate", type=float, default=0.5, help="speed of playback")
    return parser


if __name__ == "__main__":
    sys.exit(main())
