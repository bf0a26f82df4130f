"""The live node and the offline source give the same numbers for the same recording."""

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from distillnerf_ros.msg import SemanticVoxelGrid

from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import Output
from distillnerf_core.simulation.rig import CAMERA_NAMES, PHASES_MS, nuscenes_rig
from distillnerf_core.streams.bag_frames import BagFrameSource
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_core.streams.stamped_transform import StampedTransform
from distillnerf_ros.playback import BagPlayer

START_NS = 1_700_000_000_000_000_000
GRID = "/distillnerf/occupancy/grid"
SWEEPS = 3


@pytest.fixture
def bag(tmp_path: Path, make: Any) -> Path:
    """A recording of three sweeps of a moving vehicle, two seconds apart."""
    path = tmp_path / "drive.mcap"
    rig = nuscenes_rig(48, 88)
    mounts = rig.camera_to_ego.double().numpy()
    with BagWriter(path) as writer:
        static = [
            StampedTransform("base_link", name, START_NS, pose) for name, pose in zip(CAMERA_NAMES, mounts, strict=True)
        ]
        writer.write_tf(static, START_NS - 10**9, static=True)
        for sweep in range(SWEEPS):
            start_ns = START_NS + sweep * 2 * 10**9
            for offset_ns in range(-100_000_000, 200_000_000, 20_000_000):
                pose = np.eye(4)
                pose[0, 3] = 8.0 * (start_ns + offset_ns - START_NS) * 1e-9
                writer.write_tf(
                    [StampedTransform("map", "base_link", start_ns + offset_ns, pose)], start_ns + offset_ns
                )
            for camera, (name, phase) in enumerate(zip(CAMERA_NAMES, PHASES_MS, strict=True)):
                stamp = start_ns + round(phase * 1e6)
                pixels = np.roll(make.picture(name), 9 * sweep, axis=1)
                intrinsics = rig.intrinsics[camera].double().numpy()
                writer.write_camera_info(f"/{name}/camera_info", stamp, name, (48, 88), intrinsics)
                jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
                writer.write_compressed_image(f"/{name}/image_rect_compressed", stamp, name, jpeg)
    return path


def test_the_node_and_the_offline_source_agree_on_every_frame(world: Any, bag: Path, checkpoint: Path) -> None:
    world.listen(GRID, SemanticVoxelGrid)
    world.activate()
    player_node = rclpy.create_node("player", context=world.context)
    with BagReader(bag) as reader:
        player = BagPlayer(player_node, reader)
        assert player.wait_for_subscribers(30.0) == []
        playing = threading.Thread(target=player.play)
        playing.start()
        world.wait_for("all grids", lambda: len(world.received.get(GRID, [])) == SWEEPS, timeout_s=60.0)
        playing.join()
    player_node.destroy_node()
    live = {stamp_ns(grid.header): np.frombuffer(grid.label, np.uint8) for grid in world.received[GRID]}

    pipeline = PerceptionPipeline.from_checkpoint(checkpoint)
    source = BagFrameSource(bag, *pipeline.input_size)
    offline = {}
    for assembled in source:
        occupancy = pipeline.perceive(assembled.frame, frozenset({Output.OCCUPANCY})).occupancy
        assert occupancy is not None
        offline[assembled.frame.stamp_ns] = occupancy.labels.numpy().reshape(-1)
    assert live.keys() == offline.keys()
    for time_ns, labels in offline.items():
        assert (labels < 17).any()
        np.testing.assert_array_equal(live[time_ns], labels)
