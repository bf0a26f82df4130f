"""Topics of occupancy: cloud, dense grid, map for planners, markers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from distillnerf_core.errors import TransformError
from distillnerf_ros.conversions.clouds import occupancy_cloud
from distillnerf_ros.conversions.fields import header
from distillnerf_ros.conversions.poses import moved_pose
from distillnerf_ros.conversions.voxels import class_markers, ground_plan, semantic_grid
from distillnerf_ros.health import HealthBoard
from distillnerf_ros.msg import SemanticVoxelGrid
from distillnerf_ros.qos import create_output, heard

if TYPE_CHECKING:
    from distillnerf_core.perception.results import SemanticOccupancy
    from distillnerf_ros.config import NodeConfig

Lookup = Callable[[str, str, int], NDArray[np.float64]]
"""Returns `target_from_source` [4 4] of two frames at a time in nanoseconds."""


class OccupancyPublishers:
    """Occupancy in the base frame, or in another one where the parameters say so.

    Args:
        node: Node that owns the publishers.
        config: The node's configuration.
        lookup: Finds transforms.
        board: Where a missing transform is reported.
    """

    def __init__(self, node: Node, config: "NodeConfig", lookup: Lookup, board: HealthBoard) -> None:
        self._node = node
        self._base_frame, self._output_frame = config.tf.base_frame, config.tf.output_frame or config.tf.base_frame
        self._config = config.occupancy
        self._lookup = lookup
        self._board = board
        self._points = create_output(node, PointCloud2, "~/occupancy/points")
        self._grid = create_output(node, SemanticVoxelGrid, "~/occupancy/grid")
        self._markers = create_output(node, MarkerArray, "~/occupancy/markers")
        self._map = create_output(node, OccupancyGrid, "~/occupancy/map")

    def reconfigure(self, config: "NodeConfig") -> None:
        """Takes other settings of outputs, from the next frame on."""
        self._config = config.occupancy

    def destroy(self) -> None:
        """Removes the topics."""
        for publisher in (self._points, self._grid, self._markers, self._map):
            self._node.destroy_publisher(publisher)

    def publish(self, occupancy: "SemanticOccupancy", stamp_ns: int) -> None:
        """Publishes what somebody listens to."""
        placement, frame = self._placement(stamp_ns)
        stamped = header(stamp_ns, frame)
        if heard(self._points):
            self._points.publish(_cloud(occupancy, stamped, placement))
        if heard(self._grid):
            self._grid.publish(_grid(occupancy, stamped, placement))
        if heard(self._map):
            self._map.publish(self._plan(occupancy, stamped, placement))
        if self._config.markers.enable and heard(self._markers):
            self._markers.publish(self._cubes(occupancy, stamped, placement))

    def _placement(self, stamp_ns: int) -> tuple[NDArray[np.float64] | None, str]:
        """Returns `output_from_base`, None for the base frame, and the frame that is published in."""
        if self._output_frame == self._base_frame:
            return None, self._base_frame
        try:
            placement = self._lookup(self._output_frame, self._base_frame, stamp_ns)
            self._board.ok("output")
            return placement, self._output_frame
        except TransformError as err:
            self._board.warn("output", f"occupancy is published in {self._base_frame}, not in tf.output_frame: {err}")
            return None, self._base_frame

    def _plan(
        self, occupancy: "SemanticOccupancy", stamped: Header, placement: NDArray[np.float64] | None
    ) -> OccupancyGrid:
        from distillnerf_core.perception.obstacle_map import obstacle_map

        config = self._config.map
        ground = [label for label, name in enumerate(occupancy.classes.names) if name in config.ground_classes]
        cells = obstacle_map(occupancy, ground, config).cells.cpu().numpy()
        plan = ground_plan(cells, occupancy.grid.lower_m, occupancy.grid.voxel_size_m, stamped)
        if placement is not None:
            plan.info.origin = moved_pose(placement, plan.info.origin)
        return plan

    def _cubes(
        self, occupancy: "SemanticOccupancy", stamped: Header, placement: NDArray[np.float64] | None
    ) -> MarkerArray:
        centers = occupancy.occupied.centers_m(occupancy.grid).cpu().numpy()
        labels = occupancy.labels[occupancy.occupied_mask].cpu().numpy()
        edge_m, most = occupancy.grid.voxel_size_m, self._config.markers.max_cubes
        cubes = class_markers(centers, labels, edge_m, most, stamped, occupancy.classes)
        if placement is not None:
            for marker in cubes.markers:
                marker.pose = moved_pose(placement, marker.pose)
        return cubes


def _cloud(occupancy: "SemanticOccupancy", stamped: Header, placement: NDArray[np.float64] | None) -> PointCloud2:
    from distillnerf_core.perception.placement import placed_centers

    mask = occupancy.occupied_mask
    values = (occupancy.labels, occupancy.density, occupancy.confidence)
    labels, density, confidence = (value[mask].cpu().numpy() for value in values)
    centers = placed_centers(occupancy, placement).cpu().numpy()
    return occupancy_cloud(centers, labels, density, confidence, stamped, occupancy.classes)


def _grid(occupancy: "SemanticOccupancy", stamped: Header, placement: NDArray[np.float64] | None) -> SemanticVoxelGrid:
    dense = occupancy.labels.cpu().numpy(), occupancy.confidence.cpu().numpy()
    grid = semantic_grid(*dense, occupancy.grid.lower_m, occupancy.grid.voxel_size_m, stamped, occupancy.classes)
    if placement is not None:
        grid.origin = moved_pose(placement, grid.origin)
    return grid
