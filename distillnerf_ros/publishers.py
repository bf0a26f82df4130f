"""The node's output topics. What nobody subscribes to is neither computed nor converted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nav_msgs.msg import OccupancyGrid
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from distillnerf_ros.conversions.clouds import occupancy_cloud
from distillnerf_ros.conversions.fields import header
from distillnerf_ros.conversions.images import camera_info, color_image, depth_image, label_image
from distillnerf_ros.conversions.voxels import class_markers, ground_plan, semantic_grid
from distillnerf_ros.msg import FrameStatus, SemanticVoxelGrid
from distillnerf_ros.qos import create_output

if TYPE_CHECKING:
    from distillnerf_core.perception.results import Output, PerceptionResult, SemanticOccupancy
    from distillnerf_core.streams.frame_assembler import AssembledFrame
    from distillnerf_ros.config import NodeConfig


class CameraPublishers:
    """Topics of one camera: depth with its calibration, class colours, reconstruction, features in colours.

    Args:
        node: Node that owns the publishers.
        camera: Name of the camera.
    """

    def __init__(self, node: Node, camera: str) -> None:
        self.depth = create_output(node, Image, f"~/{camera}/depth/image")
        self.depth_info = create_output(node, CameraInfo, f"~/{camera}/depth/camera_info")
        self.semantics = create_output(node, Image, f"~/{camera}/semantics/image")
        self.rgb = create_output(node, Image, f"~/{camera}/rgb/image")
        self.features = create_output(node, Image, f"~/{camera}/features/image")

    @property
    def all(self) -> tuple[Publisher, ...]:
        """All publishers."""
        return self.depth, self.depth_info, self.semantics, self.rgb, self.features


class ResultPublishers:
    """All output topics of the node except diagnostics and query answers.

    Args:
        node: Node that owns the publishers.
        cameras: Names of the cameras.
        config: The node's configuration.
    """

    def __init__(self, node: Node, cameras: Sequence[str], config: "NodeConfig") -> None:
        self._node = node
        self._base_frame = config.tf.base_frame
        self._config = config.occupancy
        self._cameras = [CameraPublishers(node, camera) for camera in cameras]
        self._points = create_output(node, PointCloud2, "~/occupancy/points")
        self._grid = create_output(node, SemanticVoxelGrid, "~/occupancy/grid")
        self._markers = create_output(node, MarkerArray, "~/occupancy/markers")
        self._map = create_output(node, OccupancyGrid, "~/occupancy/map")
        self._status = create_output(node, FrameStatus, "~/status")

    def wanted(self) -> "frozenset[Output]":
        """Returns the outputs that somebody listens to; occupancy always, since queries need it."""
        from distillnerf_core.perception.results import Output

        listeners = {
            Output.DEPTH: [pub for camera in self._cameras for pub in (camera.depth, camera.depth_info)],
            Output.SEMANTICS: [camera.semantics for camera in self._cameras],
            Output.RGB: [camera.rgb for camera in self._cameras],
            Output.FEATURES: [camera.features for camera in self._cameras],
        }
        heard = {output for output, publishers in listeners.items() if any(map(_heard, publishers))}
        return frozenset(heard | {Output.OCCUPANCY})

    def publish(self, result: "PerceptionResult", assembled: "AssembledFrame") -> None:
        """Publishes everything that was computed and that somebody listens to."""
        for index, publishers in enumerate(self._cameras):
            if assembled.frame.camera_mask[index]:
                stamp_ns = assembled.frame.camera_stamps_ns[index]
                self._publish_camera(publishers, index, result, stamp_ns, assembled.optical_frames[index])
        self._publish_occupancy(result)

    def publish_status(self, status: FrameStatus) -> None:
        """Publishes what was done with a frame."""
        self._status.publish(status)

    def reconfigure(self, config: "NodeConfig") -> None:
        """Takes other settings of outputs, from the next frame on."""
        self._config = config.occupancy

    def destroy(self) -> None:
        """Removes the topics."""
        publishers = [publisher for camera in self._cameras for publisher in camera.all]
        for publisher in [*publishers, self._points, self._grid, self._markers, self._map, self._status]:
            self._node.destroy_publisher(publisher)

    def _publish_camera(
        self, publishers: CameraPublishers, index: int, result: "PerceptionResult", stamp_ns: int, frame_id: str
    ) -> None:
        stamped, classes = header(stamp_ns, frame_id), result.classes.labels
        if result.depth is not None and _heard(publishers.depth):
            publishers.depth.publish(depth_image(result.depth.z_depth_m[index].cpu().numpy(), stamped))
        if result.depth is not None and _heard(publishers.depth_info):
            rig = result.depth.rig
            intrinsics = rig.intrinsics[index].double().cpu().numpy()
            publishers.depth_info.publish(camera_info(intrinsics, rig.height, rig.width, stamped))
        if result.semantics is not None and _heard(publishers.semantics):
            publishers.semantics.publish(label_image(result.semantics[index].cpu().numpy(), stamped, classes))
        for picture, publisher in ((result.rgb, publishers.rgb), (result.features, publishers.features)):
            if picture is not None and _heard(publisher):
                pixels = (picture[index].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
                publisher.publish(color_image(pixels.cpu().numpy(), stamped))

    def _publish_occupancy(self, result: "PerceptionResult") -> None:
        occupancy = result.occupancy
        if occupancy is None:
            return
        stamped = header(result.stamp_ns, self._base_frame)
        grid, classes = occupancy.grid, occupancy.classes
        mask = occupancy.occupied_mask
        centers = occupancy.occupied.centers_m(grid).cpu().numpy()
        labels = occupancy.labels[mask].cpu().numpy()
        if _heard(self._points):
            density, confidence = (values[mask].cpu().numpy() for values in (occupancy.density, occupancy.confidence))
            self._points.publish(occupancy_cloud(centers, labels, density, confidence, stamped, classes))
        if _heard(self._grid):
            dense = occupancy.labels.cpu().numpy(), occupancy.confidence.cpu().numpy()
            self._grid.publish(semantic_grid(*dense, grid.lower_m, grid.voxel_size_m, stamped, classes))
        if _heard(self._map):
            self._map.publish(self._plan(occupancy, stamped))
        if self._config.markers.enable and _heard(self._markers):
            most = self._config.markers.max_cubes
            self._markers.publish(class_markers(centers, labels, grid.voxel_size_m, most, stamped, classes))

    def _plan(self, occupancy: "SemanticOccupancy", stamped: Header) -> OccupancyGrid:
        from distillnerf_core.perception.obstacle_map import obstacle_map

        ground = [
            label for label, name in enumerate(occupancy.classes.names) if name in self._config.map.ground_classes
        ]
        cells = obstacle_map(occupancy, ground, self._config.map).cells
        return ground_plan(cells.cpu().numpy(), occupancy.grid.lower_m, occupancy.grid.voxel_size_m, stamped)


def _heard(publisher: Publisher) -> bool:
    return int(publisher.get_subscription_count()) > 0
