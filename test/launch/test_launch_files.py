"""What the launch files declare."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

LAUNCH_FILES = sorted((Path(__file__).resolve().parents[2] / "launch").glob("*.launch.py"))
EVERYWHERE = {
    "preset",
    "checkpoint",
    "calibration_file",
    "base_frame",
    "device",
    "params",
    "namespace",
    "log_level",
    "use_sim_time",
    "rviz",
    "rviz_config",
}
PLAYED = {"rate", "loop", "start_offset", "player", "exit_at_end"}


def arguments_of(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(path.stem.replace(".", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {item.name: item for item in module.generate_launch_description().get_launch_arguments()}


def default_of(argument: Any) -> str | None:
    return None if argument.default_value is None else "".join(item.text for item in argument.default_value)


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.stem)
def test_every_argument_is_described(path: Path) -> None:
    arguments = arguments_of(path)
    assert set(arguments) >= EVERYWHERE
    assert all(len(item.description) > 15 for item in arguments.values())
    assert default_of(arguments["use_sim_time"]) == str(path.stem != "live.launch").lower()


def test_recordings_and_simulations_are_played_as_asked() -> None:
    files = {path.stem.removesuffix(".launch"): arguments_of(path) for path in LAUNCH_FILES}
    assert set(files) == {"live", "nuscenes_bag", "simulation"}
    assert set(files["nuscenes_bag"]) == EVERYWHERE | PLAYED | {"bag"}
    assert set(files["simulation"]) == EVERYWHERE | PLAYED | {"seed", "seconds", "width"}
    assert set(files["live"]) == EVERYWHERE
    assert default_of(files["nuscenes_bag"]["bag"]) is None
    contract = {"preset": "auto", "rate": "1.0", "rviz": "true", "checkpoint": "", "loop": "false"}
    assert {name: default_of(files["nuscenes_bag"][name]) for name in contract} == contract
