"""The launch files load. Needs launch_ros, which the ROS 2 from PyPI lacks."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.stem)
def test_launch_file_gives_a_description_with_documented_arguments(path: Path) -> None:
    pytest.importorskip("launch_ros", reason="launch_ros is not in the ROS 2 from PyPI")
    pytest.importorskip("distillnerf_ros.msg", reason="the ROS package is not built")
    spec = importlib.util.spec_from_file_location(path.stem.replace(".", "_"), path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments = {item.name: item for item in module.generate_launch_description().get_launch_arguments()}
    assert {"preset", "checkpoint", "params", "rviz", "use_sim_time"} <= set(arguments)
    assert all(item.description for item in arguments.values())
