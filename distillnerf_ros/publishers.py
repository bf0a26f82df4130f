"""The node's output topics. What nobody subscribes to is neither computed nor converted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image

from distillnerf_ros.conversions.fields import header
from distillnerf_ros.conversions.images import camera_info, color_image, depth_image, label_image
from distillnerf_ros.health import HealthBoard
from distillnerf_ros.msg import FrameStatus
from distillnerf_ros.occupancy_publishers import Lookup, OccupancyPublishers
from distillnerf_ros.qos import create_output, heard

if TYPE_CHECKING:
    from distillnerf_core.perception.results import Output, PerceptionResult
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
        lookup: Finds transforms.
        board: Where problems are reported.
    """

    def __init__(
        self, node: Node, cameras: Sequence[str], config: "NodeConfig", lookup: Lookup, board: HealthBoard
    ) -> None:
        self._node = node
        self._depth_enabled = config.depth.enable
        self._cameras = [CameraPublishers(node, camera) for camera in cameras]
        self._occupancy = OccupancyPublishers(node, config, lookup, board)
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
        asked = {output for output, publishers in listeners.items() if any(map(heard, publishers))}
        if not self._depth_enabled:
            asked.discard(Output.DEPTH)
        return frozenset(asked | {Output.OCCUPANCY})

    def publish(self, result: "PerceptionResult", assembled: "AssembledFrame") -> None:
        """Publishes everything that was computed and that somebody listens to."""
        for index, publishers in enumerate(self._cameras):
            if assembled.frame.camera_mask[index]:
                stamp_ns = assembled.frame.camera_stamps_ns[index]
                self._publish_camera(publishers, index, result, stamp_ns, assembled.optical_frames[index])
        if result.occupancy is not None:
            self._occupancy.publish(result.occupancy, result.stamp_ns)

    def publish_status(self, status: FrameStatus) -> None:
        """Publishes what was done with a frame."""
        self._status.publish(status)

    def reconfigure(self, config: "NodeConfig") -> None:
        """Takes other settings of outputs, from the next frame on."""
        self._depth_enabled = config.depth.enable
        self._occupancy.reconfigure(config)

    def destroy(self) -> None:
        """Removes the topics."""
        publishers = [publisher for camera in self._cameras for publisher in camera.all]
        for publisher in [*publishers, self._status]:
            self._node.destroy_publisher(publisher)
        self._occupancy.destroy()

    def _publish_camera(
        self, publishers: CameraPublishers, index: int, result: "PerceptionResult", stamp_ns: int, frame_id: str
    ) -> None:
        stamped, classes = header(stamp_ns, frame_id), result.classes.labels
        if result.depth is not None and heard(publishers.depth):
            publishers.depth.publish(depth_image(result.depth.z_depth_m[index].cpu().numpy(), stamped))
        if result.depth is not None and heard(publishers.depth_info):
            rig = result.depth.rig
            intrinsics = rig.intrinsics[index].double().cpu().numpy()
            publishers.depth_info.publish(camera_info(intrinsics, rig.height, rig.width, stamped))
        if result.semantics is not None and heard(publishers.semantics):
            publishers.semantics.publish(label_image(result.semantics[index].cpu().numpy(), stamped, classes))
        for picture, publisher in ((result.rgb, publishers.rgb), (result.features, publishers.features)):
            if picture is not None and heard(publisher):
                pixels = (picture[index].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
                publisher.publish(color_image(pixels.cpu().numpy(), stamped))
