"""Which player the launch files choose, and what they ask of it."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def context() -> Any:
    from launch import LaunchContext

    made = LaunchContext()
    defaults = {"rate": "2.0", "loop": "true", "start_offset": "1.5", "player": "auto", "exit_at_end": "false"}
    made.launch_configurations.update(defaults)
    return made


def command_of(action: Any, context: Any) -> list[str]:
    return ["".join(part.perform(context) for part in words) for words in action.cmd]


def test_rosbag2_is_preferred_where_it_is_installed(context: Any, bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distillnerf_ros import launch_playback

    monkeypatch.setattr(launch_playback, "_has_rosbag2", lambda: True)
    context.launch_configurations["bag"] = str(bag)
    (action,) = launch_playback.bag_actions(context)
    command = command_of(action, context)
    assert command[:4] == ["ros2", "bag", "play", str(bag)]
    options = " ".join(command[4:])
    for words in ("--rate 2.0", "--start-offset 1.5", "--loop", "--clock 100", "--disable-keyboard-controls"):
        assert words in options
    overrides = Path(command[command.index("--qos-profile-overrides-path") + 1])
    assert "transient_local" in overrides.read_text()


def test_the_own_player_stands_in_or_is_asked_for(context: Any, bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from launch_ros.actions import Node

    from distillnerf_ros import launch_playback

    context.launch_configurations["bag"] = str(bag)
    for installed, asked in ((False, "auto"), (True, "own")):
        monkeypatch.setattr(launch_playback, "_has_rosbag2", lambda installed=installed: installed)
        context.launch_configurations["player"] = asked
        (action,) = launch_playback.bag_actions(context)
        assert isinstance(action, Node)
        assert action.node_executable == "distillnerf_bag_player"


def test_a_failed_simulation_ends_everything_and_says_so(context: Any, tmp_path: Path) -> None:
    from launch.actions import EmitEvent, LogInfo

    from distillnerf_ros import launch_playback

    context.launch_configurations["player"] = "own"
    said, end = launch_playback.after_simulation(2, tmp_path / "street.mcap", context)
    assert isinstance(said, LogInfo)
    text = "".join(part.perform(context) for part in said.msg)
    assert "status 2" in text
    assert "street.mcap" in text
    assert isinstance(end, EmitEvent)
    assert end.event.reason == text
    (player,) = launch_playback.after_simulation(0, tmp_path / "street.mcap", context)
    assert player.node_executable == "distillnerf_bag_player"


def test_rviz_shows_the_cameras_of_the_recording(context: Any, bag: Path, tmp_path: Path) -> None:
    from distillnerf_core.simulation.rig import CAMERA_NAMES
    from distillnerf_ros import launching

    context.launch_configurations["preset"] = "auto"
    assert launching._cameras(context) == ()
    context.launch_configurations["bag"] = str(bag)
    assert set(launching._cameras(context)) == set(CAMERA_NAMES)
    context.launch_configurations["bag"] = str(tmp_path / "missing.mcap")
    assert launching._cameras(context) == ()
    context.launch_configurations["preset"] = "autoware"
    assert launching._cameras(context)[0] == "camera0"
