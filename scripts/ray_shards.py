"""Runs a `distillnerf` command that takes --shard I/N in N shards on the workers of a Ray cluster.

python scripts/ray_shards.py --shards 16 --gpus 1 -- teach sim:0..15 --out /shared/taught --teacher field

Needs `pip install 'distillnerf[cluster]'` on all machines, and paths that all of them see. Shards that fail are tried
again; commands go on where they stopped.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence

_ADVICE = "ray is not installed; pip install 'distillnerf[cluster]', or use a SLURM array or GNU parallel"


def shard_commands(command: Sequence[str], shards: int) -> list[list[str]]:
    """Returns the command line of each shard."""
    program = [sys.executable, "-m", "distillnerf_core.cli.main"]
    return [[*program, *command, "--shard", f"{index}/{shards}"] for index in range(shards)]


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the options of this script and the command after `--`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, required=True, help="Number of shards.")
    parser.add_argument("--address", help="Ray cluster, such as auto; default: this machine alone.")
    parser.add_argument("--cpus", type=float, default=1, help="Cores of a shard.")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a shard.")
    parser.add_argument("--retries", type=int, default=2, help="How often a shard that failed is tried again.")
    parser.add_argument("command", nargs="+", help="distillnerf command with its arguments, after --.")
    options = parser.parse_args(arguments)
    if options.shards < 1:
        parser.error("--shards: expected 1 or more")
    return options


def main() -> None:
    """Runs all shards, says how each ended, and ends with status 1 if any failed."""
    options = parse_arguments(sys.argv[1:])
    try:
        import ray
    except ImportError:
        sys.exit(_ADVICE)
    if options.address:
        ray.init(address=options.address)
    else:
        ray.init(include_dashboard=False)
    resources = {"num_cpus": options.cpus, "num_gpus": options.gpus}
    run = ray.remote(max_retries=options.retries, retry_exceptions=True, **resources)(_run)
    commands = shard_commands(options.command, options.shards)
    failed = 0
    for index, task in enumerate([run.remote(command) for command in commands]):
        try:
            ray.get(task)
            outcome = "done"
        except ray.exceptions.RayError as err:
            failed += 1
            outcome = f"failed: {err}"
        sys.stdout.write(f"shard {index}/{options.shards}: {outcome}\n")
    sys.exit(1 if failed else 0)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
