"""Promises of the node that no other file here tests: sweeps are never mixed, and nothing waits for inference."""

import random
import threading
import time
from typing import Any

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

from distillnerf_core.errors import QueryError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.simulation.rig import CAMERA_NAMES
from distillnerf_ros.conversions.fields import byte_array

STEP = 8


def grey(sweep: int) -> CompressedImage:
    """An image that says which sweep it belongs to."""
    encoded, data = cv2.imencode(".png", np.full((48, 88, 3), 10 + STEP * sweep, np.uint8))
    assert encoded
    return CompressedImage(format="png", data=byte_array(data))


def sweeps_of(frame: MultiViewFrame) -> set[int]:
    values = frame.images[frame.camera_mask].mean(dim=(1, 2, 3)) * 255.0
    return {round((float(value) - 10) / STEP) for value in values}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[MultiViewFrame]:
    """The frames that reach inference, which is over at once."""
    frames: list[MultiViewFrame] = []

    def spy(_pipeline: PerceptionPipeline, frame: MultiViewFrame, *_arguments: Any) -> Any:
        frames.append(frame)
        raise QueryError("seen enough")

    monkeypatch.setattr(PerceptionPipeline, "perceive", spy)
    return frames


def test_no_frame_mixes_sweeps_whatever_is_lost(world: Any, seen: list[MultiViewFrame]) -> None:
    chance = random.Random(2)
    world.activate()
    for number in range(20):
        lost = chance.sample(CAMERA_NAMES, chance.choice([0, 0, 1, 2, 3]))
        world.publish_sweep(number, {name: None if name in lost else grey(number) for name in CAMERA_NAMES})
        time.sleep(0.1)
    world.wait_for("the last complete sweeps", lambda: len(seen) >= 8)
    assert all(len(sweeps_of(frame)) == 1 for frame in seen)
    assert all(int(frame.camera_mask.sum()) >= 4 for frame in seen)
    assert any(not bool(frame.camera_mask.all()) for frame in seen)


def test_inference_holds_up_neither_images_nor_answers_and_the_newest_sweep_is_next(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.activate()
    world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    release, stamps, threads = threading.Event(), [], set()
    perceive = PerceptionPipeline.perceive

    def slow(pipeline: PerceptionPipeline, frame: MultiViewFrame, *arguments: Any) -> Any:
        stamps.append(frame.stamp_ns)
        threads.add(threading.current_thread().name)
        assert release.wait(20.0)
        return perceive(pipeline, frame, *arguments)

    monkeypatch.setattr(PerceptionPipeline, "perceive", slow)
    expected = [world.publish_sweep(1)]
    world.wait_for("inference", lambda: stamps)
    front = world.node.session.stream.synchroniser.counters["CAM_FRONT"]
    before = front.received
    expected += [world.publish_sweep(number) for number in (2, 3, 4)]
    world.wait_for("images", lambda: front.received == before + 3)
    assert world.query(texts=["car"]).success
    world.wait_for("sweeps", lambda: world.node.session.dropped >= 2)
    release.set()
    world.wait_for("the newest sweep", lambda: len(stamps) == 2)
    assert stamps == [expected[0], expected[-1]]
    assert threads == {"distillnerf inference"}
