"""Plays a rosbag2 recording where rosbag2 is not installed: `distillnerf bag play BAG --clock`.

The same command is `ros2 run distillnerf_ros distillnerf_bag_player` and `python -m distillnerf_ros.bag_player`. This
module imports without ROS.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distillnerf_core.errors import BagError, ConfigurationError, DistillNerfError
from distillnerf_ros.playback_options import PlaybackOptions, parse_remaps

if TYPE_CHECKING:
    from distillnerf_ros.playback import BagPlayer

logger = logging.getLogger(__name__)

INTERRUPTED = 130
_BAR = "{l_bar}{bar}| {n:.1f}/{total:.1f} s"


def play(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")],
    rate: Annotated[float, typer.Option(help="Speed; 2 is twice as fast.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Play again and again; /clock jumps back each time.")] = False,
    clock: Annotated[bool, typer.Option("--clock", help="Publish the recording's time on /clock, 100 Hz.")] = False,
    start_offset: Annotated[
        float, typer.Option(help="Seconds to leave out; static transforms from before are published all the same.")
    ] = 0.0,
    duration: Annotated[float | None, typer.Option(help="Seconds of the recording to play; default: all.")] = None,
    topics: Annotated[list[str] | None, typer.Option(help="Play this topic only; may be given several times.")] = None,
    remap: Annotated[
        list[str] | None, typer.Option(metavar="OLD:=NEW", help="Rename a topic; may be given several times.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Longest wait for subscribers to the images, seconds.")] = 10.0,
    pause: Annotated[
        bool, typer.Option("--pause", help="Start paused; in a terminal the space bar pauses and goes on.")
    ] = False,
) -> None:
    """Plays a recording over ROS 2 with its original timing. Needs rclpy."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = PlaybackOptions(rate, clock, start_offset, duration, tuple(topics or ()), parse_remaps(remap or ()))
    _require_ros()
    with _ros_node() as node:
        try:
            _play(node, bag, options, loop, pause, wait)
        except KeyboardInterrupt:
            node.context.try_shutdown()
        except Exception:
            # Publishers fail in many ways once a signal has ended ROS under them.
            if node.context.ok():
                raise
        interrupted = not node.context.ok()
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays a recording from the command line; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="distillnerf_bag_player: %(message)s")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(play)
    try:
        app(args=list(arguments) if arguments is not None else _own_arguments(), prog_name="distillnerf_bag_player")
    except SystemExit as end:
        return int(end.code or 0)
    except DistillNerfError as err:
        logger.error("%s", err)
        return 2
    return 0


def _play(node: Any, path: Path, options: PlaybackOptions, loop: bool, pause: bool, wait_s: float) -> None:
    from tqdm import tqdm

    from distillnerf_core.streams.bag_reader import BagReader
    from distillnerf_ros.pause_key import PauseKey
    from distillnerf_ros.playback import BagPlayer

    with BagReader(path) as bag, PauseKey() as key, tqdm(disable=None, bar_format=_BAR, desc=path.name) as bar:

        def show(seconds: float) -> None:
            bar.set_description(f"{path.name}{' paused' if player.pacer.paused else ''}", refresh=False)
            bar.update(max(0.0, seconds) - bar.n)

        player = BagPlayer(node, bag, options, key.pressed, show)
        bar.total = player.seconds or 0.0
        if pause:
            _pause(player, key.available)
        _play_all(node, player, loop, wait_s, bar.reset)


def _play_all(node: Any, player: "BagPlayer", loop: bool, wait_s: float, restart: Callable[[], None]) -> None:
    if missing := player.wait_for_subscribers(wait_s):
        logger.warning("nobody subscribes to %s; playing anyway", ", ".join(missing))
    again = True
    while again and node.context.ok():
        restart()
        count = _once(player)
        logger.info("played %d messages", count)
        again = loop


def _pause(player: "BagPlayer", key_available: bool) -> None:
    if not key_available:
        raise ConfigurationError("--pause: there is no terminal whose space bar could start the player; leave it out")
    player.pacer.toggle()


def _once(player: "BagPlayer") -> int:
    try:
        return player.play()
    except BagError as err:
        logger.warning("%s", err)
        return 0


def _require_ros() -> None:
    try:
        import rclpy  # noqa: F401
    except ImportError as err:
        raise ConfigurationError(
            f"playing needs ROS 2, and {sys.executable} lacks {err.name}: source your ROS 2 "
            "(`source /opt/ros/jazzy/setup.bash`), or run `make setup` and `source scripts/ros_env.sh`"
        ) from err


@contextmanager
def _ros_node() -> Iterator[Any]:
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=rclpy.signals.SignalHandlerOptions.ALL)
    node = rclpy.create_node("distillnerf_bag_player", context=context)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


def _own_arguments() -> list[str]:
    try:
        from rclpy.utilities import remove_ros_args
    except ImportError:
        return sys.argv[1:]
    return [str(item) for item in remove_ros_args(sys.argv)[1:]]


if __name__ == "__main__":
    sys.exit(main())
