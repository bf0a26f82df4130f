"""Pieces of the launch files: arguments, the activated node, RViz. Only launch files import it.

It uses what launch and launch_ros have in Humble and in Jazzy.
"""

import os
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown, matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from distillnerf_core.errors import DistillNerfError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.layouts import load_layout, require_layout
from distillnerf_ros.rviz_layout import fitted_file
from launch import LaunchContext

PACKAGE = "distillnerf_ros"
NODE = "distillnerf"
BOOLEAN = ["true", "false", "True", "False"]
LEVELS = ["debug", "info", "warn", "error", "fatal"]
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Where Fast DDS looks for its profile: the first up to Jazzy, the second from Fast DDS 3 on."""
PARAMETER_OF = {
    "preset": ("input.preset", "auto"),
    "calibration_file": ("input.calibration_file", ""),
    "checkpoint": ("model.checkpoint", ""),
    "device": ("model.device", "auto"),
    "base_frame": ("tf.base_frame", ""),
}
"""Parameter that a launch argument sets, and the value that leaves it to the parameter file."""


def perception_arguments(use_sim_time: bool) -> list[Action]:
    """Returns the launch arguments of node and display.

    Args:
        use_sim_time: Default of the argument of that name.
    """
    share = share_folder()
    return [
        argument("preset", "auto", "Camera layout: auto (looks at the topics), a preset's name or a YAML file"),
        argument("checkpoint", "", "Model checkpoint; empty: the one that ships with the package"),
        argument("calibration_file", "", "JSON file with calibrations, for cameras without CameraInfo"),
        argument("base_frame", "", "Body frame of the outputs; empty: as in the parameter file, else base_link"),
        argument("device", "auto", "Where the network runs: auto (a GPU if there is one), cpu, cuda, cuda:1 ..."),
        argument("params", str(share / "config" / "distillnerf.yaml"), "YAML file with parameters of the node"),
        argument("namespace", "", "Namespace of the node and of its service query_text"),
        argument("log_level", "info", "Least severity that the node logs", LEVELS),
        argument("use_sim_time", str(use_sim_time).lower(), "Take the time from /clock", BOOLEAN),
        argument("rviz", "true", "Open RViz, where it is installed", BOOLEAN),
        argument("rviz_config", str(share / "rviz" / "distillnerf.rviz"), "File that RViz opens"),
    ]


def perception_actions(when_active: Any = None) -> list[Action]:
    """Returns the node, taken through configure and activate, and RViz.

    Args:
        when_active: Called with the launch context; returns the actions that begin as soon as the node is active.
    """
    return [OpaqueFunction(function=lambda context: _perception(context, when_active))]


def argument(name: str, default: str | None, text: str, choices: list[str] | None = None) -> Action:
    """Returns a launch argument; one without a default must be given."""
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def value_of(context: LaunchContext, name: str) -> str:
    """Returns the value of a launch argument."""
    return str(LaunchConfiguration(name).perform(context))


def is_true(context: LaunchContext, name: str) -> bool:
    """Returns the value of a launch argument that is true or false."""
    return value_of(context, name).lower() == "true"


def ending_with(process: Action, reason: str) -> Action:
    """Returns what ends everything when a process ends; while everything ends already, launch_ros fails at another."""

    def end(event: Any, context: LaunchContext) -> list[Action]:
        return [] if context.is_shutdown else [LogInfo(msg=reason), EmitEvent(event=Shutdown(reason=reason))]

    return RegisterEventHandler(OnProcessExit(target_action=process, on_exit=end))


def share_folder() -> Path:
    """Returns the folder of the package's launch, config and rviz files."""
    return Path(get_package_share_directory(PACKAGE))


def has_package(name: str) -> bool:
    """Tells whether a ROS package is installed."""
    try:
        get_package_prefix(name)
    except PackageNotFoundError:
        return False
    return True


def _perception(context: LaunchContext, when_active: Any) -> list[Action]:
    node = _node(context)
    actions = [
        *_profile(),
        ending_with(node, "the node has ended"),
        _on(node, "configuring", "inactive", [_transition(node, Transition.TRANSITION_ACTIVATE)]),
        _on(node, "configuring", "unconfigured", [_failure("configured")]),
        _on(node, "activating", "inactive", [_failure("activated")]),
    ]
    if when_active is not None:
        actions.append(_on(node, "activating", "active", when_active(context)))
    return [*actions, node, _transition(node, Transition.TRANSITION_CONFIGURE), *_rviz(context)]


def _node(context: LaunchContext) -> LifecycleNode:
    namespace, level = value_of(context, "namespace").strip("/"), value_of(context, "log_level")
    logger = ".".join([*namespace.split("/"), NODE] if namespace else [NODE])
    return LifecycleNode(
        package=PACKAGE,
        executable="distillnerf_node",
        name=NODE,
        namespace=namespace,
        output="screen",
        parameters=[_parameter_file(context), _parameters(context)],
        ros_arguments=["--log-level", f"{logger}:={level}"],
    )


def _parameter_file(context: LaunchContext) -> str:
    path = Path(value_of(context, "params")).expanduser()
    if not path.is_file():
        raise RuntimeError(f"params:={path}: there is no such file; copy the package's config/distillnerf.yaml")
    return str(path)


def _parameters(context: LaunchContext) -> dict[str, Any]:
    given = {name: value_of(context, name) for name in PARAMETER_OF}
    parameters: dict[str, Any] = {
        parameter: given[name] for name, (parameter, left_alone) in PARAMETER_OF.items() if given[name] != left_alone
    }
    return {"use_sim_time": is_true(context, "use_sim_time"), **parameters}


def _profile() -> list[Action]:
    """Returns what makes shared memory large enough for images, where the user has no profile of their own."""
    if any(variable in os.environ for variable in PROFILE_VARIABLES):
        return []
    path = str(share_folder() / "config" / "fastdds_large_images.xml")
    return [SetEnvironmentVariable(variable, path) for variable in PROFILE_VARIABLES]


def _on(node: LifecycleNode, start: str, goal: str, actions: list[Action]) -> Action:
    handler = OnStateTransition(target_lifecycle_node=node, start_state=start, goal_state=goal, entities=actions)
    return RegisterEventHandler(handler)


def _failure(what: str) -> Action:
    return LogInfo(msg=f"{NODE} could not be {what}: the reason is in its last error above and on /diagnostics")


def _transition(node: LifecycleNode, transition: int) -> Action:
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))


def _rviz(context: LaunchContext) -> list[Action]:
    if not is_true(context, "rviz"):
        return []
    if not has_package("rviz2"):
        return [LogInfo(msg="rviz2 is not installed: no display (rviz:=false silences this)")]
    node = "/" + "/".join([*value_of(context, "namespace").strip("/").split("/"), NODE]).lstrip("/")
    layout = fitted_file(Path(value_of(context, "rviz_config")).expanduser(), node, _cameras(context))
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", str(layout)],
            parameters=[{"use_sim_time": is_true(context, "use_sim_time")}],
            output="log",
        )
    ]


def _cameras(context: LaunchContext) -> tuple[str, ...]:
    """Returns the cameras of the preset or of the recording, none where they are found at run time or refused there."""
    preset, bag = value_of(context, "preset"), context.launch_configurations.get("bag", "")
    try:
        if preset != "auto":
            return load_layout(preset).names
        if not bag:
            return ()
        with BagReader(Path(bag).expanduser()) as reader:
            return require_layout(preset, reader.topic_types()).names
    except DistillNerfError:
        return ()
