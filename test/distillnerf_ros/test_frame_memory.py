"""Frames are found by time, and none survives a step back in time."""

from types import SimpleNamespace
from typing import Any

import pytest

from distillnerf_ros.frame_memory import FrameMemory


def frame(stamp_ns: int) -> Any:
    return SimpleNamespace(result=SimpleNamespace(stamp_ns=stamp_ns))


@pytest.fixture
def memory() -> FrameMemory:
    remembered = FrameMemory(3)
    for stamp_ns in (100, 200, 300, 400):
        assert remembered.remember(frame(stamp_ns), 0)
    return remembered


@pytest.mark.parametrize(("asked", "found"), [(0, 400), (90, 200), (260, 300), (240, 200), (10**18, 400)])
def test_the_nearest_remembered_frame_is_found(memory: FrameMemory, asked: int, found: int) -> None:
    nearest = memory.nearest(asked)
    assert nearest is not None
    assert nearest.result.stamp_ns == found


def test_work_from_before_forgetting_is_not_remembered(memory: FrameMemory) -> None:
    memory.forget()
    assert memory.newest is None
    assert memory.nearest(300) is None
    assert not memory.remember(frame(500), 0)
    assert memory.remember(frame(10), memory.generation)
    assert memory.newest is not None
