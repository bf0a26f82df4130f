"""What the live view makes of a node's topics, without the viewer."""

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor

from distillnerf_core.simulation.rig import CAMERA_NAMES, nuscenes_rig
from distillnerf_ros.live_view import LiveView


class FakeScene:
    """Remembers what was logged, and when."""

    def __init__(self) -> None:
        self.calls: dict[str, list[Any]] = defaultdict(list)
        self.time_ns = 0

    def set_time(self, stamp_ns: int) -> None:
        self.time_ns = stamp_ns

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *values: self.calls[name].append((self.time_ns, *values))

    def names(self, kind: str) -> set[str]:
        return {call[1] for call in self.calls[kind]}


@pytest.fixture
def scene() -> FakeScene:
    return FakeScene()


def test_everything_a_node_publishes_is_shown(world: Any, scene: FakeScene) -> None:
    world.activate()
    node = rclpy.create_node("view", context=world.context)
    view = LiveView(node, scene, "/distillnerf")  # type: ignore[arg-type]
    executor = SingleThreadedExecutor(context=world.context)
    executor.add_node(node)
    threading.Thread(target=executor.spin, daemon=True).start()
    world.wait_for("cameras", lambda: len(view.cameras) == 6)
    world.wait_for("subscriptions", lambda: node.count_subscribers("/CAM_BACK/image_rect_compressed") == 2)
    world.publish_mounts()
    shown = ("log_depth", "log_colors", "log_image")
    reference_ns, sweep = 0, 0

    def complete() -> bool:
        nonlocal reference_ns, sweep
        if view.frames >= sweep and sweep < 20:
            reference_ns, sweep = world.publish_sweep(sweep), sweep + 1
        return all(scene.names(kind) == set(CAMERA_NAMES) for kind in shown) and bool(scene.calls["log_pose"])

    world.wait_for("all images", complete)
    world.wait_for("the last frame", lambda: view.frames >= sweep)
    world.wait_for("query points subscribed", lambda: node.count_subscribers("/distillnerf/query/points") == 1)
    assert world.query(texts=["car"], threshold=0.0).success
    world.wait_for("an answer", lambda: scene.calls["log_answer"])

    time_ns, centers, colors, edge_m = scene.calls["log_voxels"][-1]
    assert time_ns == reference_ns
    assert centers.shape == colors.shape == (len(centers), 3)
    assert edge_m == pytest.approx(0.4, abs=1e-3)
    placed = {call[1]: call[2] for call in scene.calls["log_camera"]}
    expected = dict(zip(CAMERA_NAMES, nuscenes_rig().camera_to_ego.numpy(), strict=True))
    for name in CAMERA_NAMES:
        np.testing.assert_allclose(placed[name], expected[name], atol=1e-6)
    _, _, depth, intrinsics = next(call for call in scene.calls["log_depth"] if call[1] == "CAM_FRONT")
    image, image_intrinsics = next(call[2:] for call in scene.calls["log_image"] if call[1] == "CAM_FRONT")
    assert image.shape == (2 * depth.shape[0], 2 * depth.shape[1], 3)
    np.testing.assert_allclose(image_intrinsics[:2], 2 * intrinsics[:2])
    assert "latency_ms" in scene.names("log_number")
    executor.shutdown()
    node.destroy_node()
