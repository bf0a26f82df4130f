"""Pieces of the launch files: arguments, the activated node, players, RViz. Only launch files import it."""

import shutil
import tempfile
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from launch import LaunchContext

PACKAGE = "distillnerf_ros"


def perception_arguments(use_sim_time: bool) -> list[Action]:
    """Returns the launch arguments of the node."""
    share = Path(get_package_share_directory(PACKAGE))
    defaults = {
        "preset": ("auto", "topics and frames of the cameras; auto looks at the topics"),
        "checkpoint": ("", "model checkpoint; empty: the one that ships with the package"),
        "params": (str(share / "config" / "distillnerf.yaml"), "YAML file with parameters of the node"),
        "rviz": ("true", "open RViz where it is installed"),
        "use_sim_time": (str(use_sim_time).lower(), "take the time from /clock"),
    }
    return [_argument(name, default, text) for name, (default, text) in defaults.items()]


def perception_actions(play_bag: bool = False) -> list[Action]:
    """Returns the node, taken through configure and activate, and RViz.

    Args:
        play_bag: Play the launch argument `bag`, with /clock and latched static transforms, as soon as the node is
            active.
    """
    return [OpaqueFunction(function=lambda context: _perception(context, play_bag))]


def bag_arguments() -> list[Action]:
    """Returns the launch arguments of the player."""
    return [
        DeclareLaunchArgument("bag", description="rosbag2 folder, .mcap or .db3 file"),
        _argument("rate", "1.0", "speed of playback"),
        _argument("loop", "false", "play again and again"),
    ]


def simulation_arguments() -> list[Action]:
    """Returns the launch arguments of the simulated drive."""
    return [
        _argument("seed", "7", "number of the street"),
        _argument("rate", "1.0", "speed of playback"),
        _argument("loop", "true", "drive the street again and again"),
    ]


def simulation_actions() -> list[Action]:
    """Returns the simulation, followed by the player of what it recorded."""
    return [OpaqueFunction(function=_simulation)]


def _perception(context: LaunchContext, play_bag: bool) -> list[Action]:
    share = Path(get_package_share_directory(PACKAGE))
    sim_time = _value(context, "use_sim_time").lower() == "true"
    node = LifecycleNode(
        package=PACKAGE,
        executable="distillnerf_node",
        name="distillnerf",
        namespace="",
        output="screen",
        parameters=[
            _value(context, "params"),
            {
                "use_sim_time": sim_time,
                "input.preset": _value(context, "preset"),
                "model.checkpoint": _value(context, "checkpoint"),
            },
        ],
    )
    activate_when_configured = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            start_state="configuring",
            goal_state="inactive",
            entities=[_transition(node, Transition.TRANSITION_ACTIVATE)],
        )
    )
    profile = SetEnvironmentVariable(
        "FASTRTPS_DEFAULT_PROFILES_FILE", str(share / "config" / "fastdds_large_images.xml")
    )
    handlers = [activate_when_configured]
    if play_bag:
        player = _player(context, _value(context, "bag"))
        handlers.append(_when_active(node, player))
    configure = _transition(node, Transition.TRANSITION_CONFIGURE)
    return [profile, *handlers, node, configure, *_rviz(context, share, sim_time)]


def _when_active(node: LifecycleNode, action: Action) -> Action:
    return RegisterEventHandler(
        OnStateTransition(target_lifecycle_node=node, start_state="activating", goal_state="active", entities=[action])
    )


def _transition(node: LifecycleNode, transition: int) -> Action:
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))


def _rviz(context: LaunchContext, share: Path, sim_time: bool) -> list[Action]:
    if _value(context, "rviz").lower() != "true":
        return []
    if not _has_package("rviz2"):
        return [LogInfo(msg="rviz2 is not installed: no display (rviz:=false silences this)")]
    layout = str(share / "rviz" / "distillnerf.rviz")
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", layout],
            parameters=[{"use_sim_time": sim_time}],
            output="log",
        )
    ]


def _player(context: LaunchContext, bag: str) -> Action:
    rate, loop = _value(context, "rate"), _value(context, "loop").lower() == "true"
    options = ["--clock", "--rate", rate, *(["--loop"] if loop else [])]
    if shutil.which("ros2") and _has_package("rosbag2_transport"):
        overrides = Path(get_package_share_directory(PACKAGE)) / "config" / "bag_qos.yaml"
        return ExecuteProcess(
            cmd=[
                "ros2",
                "bag",
                "play",
                bag,
                *options[:1],
                "100",
                *options[1:],
                "--qos-profile-overrides-path",
                str(overrides),
            ],
            output="screen",
        )
    return Node(
        package=PACKAGE,
        executable="distillnerf_bag_player",
        arguments=[bag, *options, "--wait", "120"],
        output="screen",
    )


def _simulation(context: LaunchContext) -> list[Action]:
    bag = Path(tempfile.mkdtemp(prefix="distillnerf_")) / "street.mcap"
    simulate = ExecuteProcess(
        cmd=["distillnerf", "simulate", "--seed", _value(context, "seed"), "--bag", str(bag)], output="screen"
    )
    play = RegisterEventHandler(
        OnProcessExit(target_action=simulate, on_exit=[_player(context, str(bag))]),
    )
    return [play, simulate]


def _argument(name: str, default: str, text: str) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(name, default_value=default, description=text)


def _value(context: LaunchContext, name: str) -> str:
    return str(LaunchConfiguration(name).perform(context))


def _has_package(name: str) -> bool:
    try:
        get_package_prefix(name)
    except PackageNotFoundError:
        return False
    return True
