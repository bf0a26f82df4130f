"""Topics of answers to texts: matching voxels, and how well each pixel matches."""

from collections.abc import Sequence

from jaxtyping import Float
from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from torch import Tensor

from distillnerf_core.streams.frame_assembler import AssembledFrame
from distillnerf_ros.conversions.answers import Answer, answer_cloud
from distillnerf_ros.conversions.fields import header
from distillnerf_ros.conversions.images import score_image
from distillnerf_ros.qos import create_output, heard


class QueryPublishers:
    """~/query/points and ~/query/CAMERA/heatmap; any thread may publish.

    Args:
        node: Node that owns the publishers.
        cameras: Names of the cameras.
    """

    def __init__(self, node: Node, cameras: Sequence[str]) -> None:
        self._node = node
        self._points = create_output(node, PointCloud2, "~/query/points")
        self._heat = [create_output(node, Image, f"~/query/{camera}/heatmap") for camera in cameras]

    @property
    def points_heard(self) -> bool:
        """Whether somebody listens to the points."""
        return heard(self._points)

    @property
    def heat_heard(self) -> bool:
        """Whether somebody listens to a camera's heat."""
        return any(map(heard, self._heat))

    def publish_points(self, answers: Sequence[Answer], stamped: Header) -> None:
        """Publishes the voxels of answers in one cloud."""
        self._points.publish(answer_cloud(answers, stamped))

    def publish_heat(self, scores: Float[Tensor, "cameras h w"], assembled: AssembledFrame) -> None:
        """Publishes the scores of the pixels of each present camera that somebody listens to."""
        values = scores.float().cpu().numpy()
        for index, publisher in enumerate(self._heat):
            if assembled.frame.camera_mask[index] and heard(publisher):
                stamped = header(assembled.frame.camera_stamps_ns[index], assembled.optical_frames[index])
                publisher.publish(score_image(values[index], stamped))

    def destroy(self) -> None:
        """Removes the topics."""
        for publisher in [self._points, *self._heat]:
            self._node.destroy_publisher(publisher)
