"""Pieces of the launch files: recordings and simulated streets that are played. Only launch files import it."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from launch.action import Action
from launch.actions import EmitEvent, ExecuteProcess, LogInfo, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch_ros.actions import Node

from distillnerf_core import __version__
from distillnerf_core.errors import DistillNerfError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_ros.launching import (
    BOOLEAN,
    PACKAGE,
    argument,
    ending_with,
    has_package,
    is_true,
    share_folder,
    value_of,
)
from launch import LaunchContext

CLOCK_HZ = "100"
DISCOVERY_S = "2.0"
"""`ros2 bag play` waits for nobody: this long nodes find its topics before it begins."""
PATIENCE_S = "120"


def bag_arguments() -> list[Action]:
    """Returns the launch arguments of a recording."""
    return [argument("bag", None, "rosbag2 folder, .mcap or .db3 file"), *_player_arguments(loop="false")]


def simulation_arguments() -> list[Action]:
    """Returns the launch arguments of a simulated drive."""
    return [
        argument("seed", "7", "Number of the street; those from 100000 on were not trained on"),
        argument("seconds", "4.0", "Length of the drive"),
        argument("width", "640", "Width of the images in pixels; the height is 9/16 of it"),
        *_player_arguments(loop="true"),
    ]


def bag_actions(context: LaunchContext) -> list[Action]:
    """Returns the player of the launch argument `bag`.

    Raises:
        RuntimeError: If the recording is missing or ROS 2 cannot play it, with what to do.
    """
    path = Path(value_of(context, "bag")).expanduser()
    try:
        with BagReader(path) as bag:
            next(bag.serialised(), None)
    except DistillNerfError as err:
        raise RuntimeError(str(err)) from err
    return _player(context, path)


def simulation_actions(context: LaunchContext) -> list[Action]:
    """Returns the simulation, unless its recording is there from an earlier start, followed by the player."""
    seed, seconds, width = (value_of(context, name) for name in ("seed", "seconds", "width"))
    path = _cache_folder() / f"street_{seed}_{seconds}s_{width}_{__version__}.mcap"
    if path.exists():
        return [LogInfo(msg=f"playing {path} from an earlier start"), *_player(context, path)]
    options = ["--seed", seed, "--seconds", seconds, "--width", width]
    simulate = ExecuteProcess(
        cmd=[sys.executable, "-m", "distillnerf_core.cli.main", "simulate", "--bag", str(path), *options],
        name="simulate",
        output="screen",
        # One thread: the street is cast in small pieces, which threads only make wait for each other.
        additional_env={"OMP_NUM_THREADS": "1"},
    )

    def play(event: Any, context: LaunchContext) -> list[Action]:
        return after_simulation(event.returncode, path, context)

    return [RegisterEventHandler(OnProcessExit(target_action=simulate, on_exit=play)), simulate]


def after_simulation(status: int, path: Path, context: LaunchContext) -> list[Action]:
    """Returns the player of a simulated recording, or what ends everything where the simulation failed.

    Args:
        status: Exit status of the simulation.
        path: The recording that it was to write.
        context: Context of the launch, which may be ending already.
    """
    if context.is_shutdown:
        return []
    if status == 0:
        return _player(context, path)
    reason = f"the simulation failed with status {status}, so that {path} cannot be played: its error is above"
    return [LogInfo(msg=reason), EmitEvent(event=Shutdown(reason=reason))]


def _player_arguments(loop: str) -> list[Action]:
    return [
        argument("rate", "1.0", "Speed of playback; 2.0 is twice as fast"),
        argument("loop", loop, "Play again and again", BOOLEAN),
        argument("start_offset", "0.0", "Seconds of the recording to leave out"),
        argument("player", "auto", "auto: ros2 bag play where it is installed, else own", ["auto", "rosbag2", "own"]),
        argument("exit_at_end", "false", "End everything when the recording ends", BOOLEAN),
    ]


def _player(context: LaunchContext, bag: Path) -> list[Action]:
    own = value_of(context, "player") == "own" or (value_of(context, "player") == "auto" and not _has_rosbag2())
    player = _own_player(context, bag) if own else _rosbag2_player(context, bag)
    end = [ending_with(player, "the recording has ended")] if is_true(context, "exit_at_end") else []
    return [*end, player]


def _own_player(context: LaunchContext, bag: Path) -> Action:
    return Node(
        package=PACKAGE,
        executable="distillnerf_bag_player",
        arguments=[str(bag), *_common(context), "--clock", "--wait", PATIENCE_S],
        output="screen",
    )


def _rosbag2_player(context: LaunchContext, bag: Path) -> Action:
    overrides = str(share_folder() / "config" / "bag_qos.yaml")
    quiet = ["--disable-keyboard-controls", "--delay", DISCOVERY_S, "--qos-profile-overrides-path", overrides]
    command = ["ros2", "bag", "play", str(bag), *_common(context), "--clock", CLOCK_HZ, *quiet]
    return ExecuteProcess(cmd=command, name="rosbag2", output="screen")


def _common(context: LaunchContext) -> list[str]:
    options = ["--rate", value_of(context, "rate"), "--start-offset", value_of(context, "start_offset")]
    return [*options, *(["--loop"] if is_true(context, "loop") else [])]


def _has_rosbag2() -> bool:
    return shutil.which("ros2") is not None and has_package("rosbag2_transport")


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "distillnerf"
