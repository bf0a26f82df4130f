"""Parameters of outputs take effect from the next frame; others say when they do."""

import gc
import weakref
from typing import Any

import numpy as np
from distillnerf_ros.msg import SemanticVoxelGrid
from lifecycle_msgs.msg import Transition
from nav_msgs.msg import OccupancyGrid
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from distillnerf_core.language.classes import FREE
from distillnerf_core.streams.message_fields import stamp_ns

GRID, PLAN = "/distillnerf/occupancy/grid", "/distillnerf/occupancy/map"


def occupied(message: SemanticVoxelGrid) -> int:
    return int((np.frombuffer(message.label, np.uint8) < FREE).sum())


def test_a_changed_threshold_counts_from_the_next_frame(world: Any) -> None:
    world.listen(GRID, SemanticVoxelGrid)
    world.listen(PLAN, OccupancyGrid)
    world.activate()
    world.wait_for("publishers", lambda: world.client.count_publishers(GRID))
    first = world.publish_sweep(0)
    before = world.wait_for_message(GRID, lambda message: stamp_ns(message.header) == first)
    changes = [Parameter("occupancy.density_threshold", value=1e6), Parameter("occupancy.voxel_size_m", value=0.8)]
    assert all(result.successful for result in world.node.set_parameters(changes))
    world.wait_for("new configuration", lambda: world.node.config.occupancy.voxel_size_m == 0.8)
    second = world.publish_sweep(1)
    after = world.wait_for_message(GRID, lambda message: stamp_ns(message.header) == second)
    assert occupied(before) > 0
    assert occupied(after) == 0
    assert list(after.size) == [100, 100, 8]


def test_the_plan_is_the_grid_from_above(world: Any) -> None:
    world.listen(GRID, SemanticVoxelGrid)
    world.listen(PLAN, OccupancyGrid)
    world.activate()
    world.wait_for("publishers", lambda: world.client.count_publishers(PLAN))
    stamp = world.publish_sweep(0)
    grid = world.wait_for_message(GRID, lambda message: stamp_ns(message.header) == stamp)
    plan = world.wait_for_message(PLAN, lambda message: stamp_ns(message.header) == stamp)
    labels = np.frombuffer(grid.label, np.uint8).reshape(grid.size)
    cells = np.array(plan.data).reshape(plan.info.height, plan.info.width).T
    assert (plan.info.width, plan.info.height) == (grid.size[0], grid.size[1])
    assert (plan.info.origin.position.x, plan.info.origin.position.z) == (grid.origin.position.x, 0.0)
    heights = grid.origin.position.z + (np.arange(grid.size[2]) + 0.5) * grid.resolution
    band = labels[:, :, (heights >= 0.3) & (heights <= 2.2)]
    ground = [grid.class_names.index(name) for name in ("driveable_surface", "other_flat", "sidewalk", "terrain")]
    expected = ((band < FREE) & ~np.isin(band, ground)).any(axis=2)
    np.testing.assert_array_equal(cells == 100, expected)
    assert set(np.unique(cells)) <= {-1, 0, 100}


def test_other_parameters_wait_and_say_so(world: Any) -> None:
    world.activate()
    logged: list[str] = []
    world.node.get_logger().warning = logged.append
    assert world.node.set_parameters([Parameter("sync.min_cameras", value=3)])[0].successful
    world.wait_for("a warning", lambda: any("sync" in text and "configured again" in text for text in logged))
    assert world.node.config.sync.min_cameras != 3


def test_cleaning_up_frees_the_network(world: Any) -> None:
    world.activate()
    world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    network = weakref.ref(world.node._pipeline)
    assert world.transition(Transition.TRANSITION_DEACTIVATE)
    assert world.transition(Transition.TRANSITION_CLEANUP)
    gc.collect()
    assert network() is None


def test_depth_can_be_switched_off(world: Any) -> None:
    depth, grid = "/distillnerf/CAM_FRONT/depth/image", GRID
    world.listen(depth, Image)
    world.listen(grid, SemanticVoxelGrid)
    world.activate()
    world.wait_for("publishers", lambda: world.client.count_publishers(depth))
    world.publish_sweep(0)
    world.wait_for_message(depth)
    assert world.node.set_parameters([Parameter("depth.enable", value=False)])[0].successful
    world.wait_for("new configuration", lambda: not world.node.config.depth.enable)
    before = len(world.received[depth])
    second = world.publish_sweep(1)
    world.wait_for_message(grid, lambda message: stamp_ns(message.header) == second)
    assert len(world.received[depth]) == before


def test_latency_above_the_limit_for_long_is_an_error(world: Any) -> None:
    limits = [Parameter("diagnostics.max_latency_ms", value=0.001)]
    limits.append(Parameter("diagnostics.max_consecutive_delay_ms", value=1500.0))
    world.node.set_parameters(limits)
    world.activate()
    for number in range(2):
        world.publish_sweep(number)
        world.wait_for("a frame", lambda wanted=number: world.node.session.processed > wanted)
    world.wait_for("a warning", lambda: world.diagnostics().get("latency", (0, ""))[0] == 1)
    world.wait_for("an error", lambda: world.diagnostics().get("latency", (0, ""))[0] == 2)
