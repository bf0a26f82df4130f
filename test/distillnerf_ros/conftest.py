"""Each test has its own ROS domain; without ROS 2 or the built messages all are skipped, saying why."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

NEEDED = ("rclpy", "tf2_msgs", "distillnerf_ros.msg")
_DOMAINS = iter(range(10_000))


def _missing() -> str:
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            return f"{name} is missing: `make test` sets ROS 2 up, builds the messages and runs these tests"
    return ""


MISSING = _missing()


class _Skipped(pytest.Module):
    def collect(self) -> Any:
        pytest.skip(MISSING, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skips the modules of this folder where they cannot be imported."""
    return _Skipped.from_parent(parent, path=module_path) if MISSING else None


def _support() -> ModuleType:
    """Imports ros_world.py, which needs ROS 2."""
    if "ros_world" not in sys.modules:
        spec = importlib.util.spec_from_file_location("ros_world", Path(__file__).with_name("ros_world.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules["ros_world"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["ros_world"])
    return sys.modules["ros_world"]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with seeded weights."""
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    _support().write_checkpoint(path)
    return path


@pytest.fixture
def make() -> SimpleNamespace:
    """Builders of messages."""
    support = _support()
    return SimpleNamespace(
        jpeg=support.jpeg_image,
        raw=support.raw_image,
        info=support.camera_info,
        transform=support.transform,
        picture=support.picture,
    )


@pytest.fixture
def make_world(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes worlds with parameters of the node (`sync__grace_s` for sync.grace_s); ends them after the test."""
    support = _support()
    monkeypatch.setattr("distillnerf_core.model.loading.MiniLmEncoder", support.FakeEncoder)
    worlds: list[Any] = []

    def make(**parameters: Any) -> Any:
        values = {"model.checkpoint": str(checkpoint), "input.preset": "nuscenes_upper"}
        values |= {name.replace("__", "."): value for name, value in parameters.items()}
        domain = 1 + (os.getpid() * 7 + next(_DOMAINS)) % 100
        worlds.append(support.World(domain, values))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    """A world with the default parameters and the test checkpoint."""
    return make_world()
