"""Occupancy in another frame than the base frame."""

from collections.abc import Callable
from typing import Any

import numpy as np
from distillnerf_ros.msg import SemanticVoxelGrid
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from distillnerf_core.language.classes import FREE
from distillnerf_ros.conversions.clouds import OCCUPANCY_POINT
from distillnerf_ros.conversions.poses import pose_matrix

TOPICS = {
    "/distillnerf/occupancy/points": PointCloud2,
    "/distillnerf/occupancy/grid": SemanticVoxelGrid,
    "/distillnerf/occupancy/map": OccupancyGrid,
    "/distillnerf/occupancy/markers": MarkerArray,
}
SECOND_SWEEP = 4
"""The vehicle of the test world drives 5 m a second along x of the map; sweeps are half a second apart."""


def perceive(world: Any, sweep: int) -> list[Any]:
    for topic, kind in TOPICS.items():
        world.listen(topic, kind)
    world.activate()
    world.wait_for("publishers", lambda: all(world.client.count_publishers(topic) for topic in TOPICS))
    world.publish_sweep(sweep)
    return [world.wait_for_message(topic) for topic in TOPICS]


def test_points_grid_map_and_markers_lie_in_the_output_frame(make_world: Callable[..., Any]) -> None:
    world = make_world(tf__output_frame="map", occupancy__markers__enable=True)
    cloud, grid, plan, markers = perceive(world, SECOND_SWEEP)
    frames = [message.header.frame_id for message in (cloud, grid, plan, *markers.markers)]
    assert set(frames) == {"map"}
    points = np.frombuffer(cloud.data, OCCUPANCY_POINT)
    centers = np.stack([points[axis] for axis in "xyz"], axis=1)
    corner = pose_matrix(grid.origin)
    index = np.floor((centers - corner[:3, 3]) / grid.resolution).astype(int)
    labels = np.frombuffer(grid.label, np.uint8).reshape(grid.size)
    assert (labels[tuple(index.T)] == points["label"]).all()
    assert (labels < FREE).sum() == len(points)
    # The reference time is 7.6 ms after the sweep's beginning.
    driven = 5.0 * (SECOND_SWEEP * 0.5 + 0.0076)
    np.testing.assert_allclose(corner[0, 3], driven - 40.0, atol=1e-3)
    np.testing.assert_allclose(plan.info.origin.position.x, driven - 40.0, atol=1e-3)
    cubes = [marker for marker in markers.markers if marker.points]
    placed = np.concatenate([[[point.x, point.y, point.z] for point in marker.points] for marker in cubes])
    moved = placed + pose_matrix(cubes[0].pose)[:3, 3]
    order, expected = np.lexsort(moved.round(3).T), np.lexsort(centers.round(3).T)
    if len(moved) == len(centers):
        np.testing.assert_allclose(moved[order], centers[expected], atol=2e-3)


def test_without_a_transform_the_base_frame_is_used_and_said(make_world: Callable[..., Any]) -> None:
    world = make_world(tf__output_frame="lobby", occupancy__markers__enable=True)
    cloud, *_ = perceive(world, 0)
    assert cloud.header.frame_id == "base_link"
    world.wait_for_trouble("output", "lobby", "base_link")
