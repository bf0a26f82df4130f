"""Records inputs and outputs of the node, and keeps the newest of each for the picture."""

import threading
import time
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from distillnerf_ros.msg import FrameStatus, SemanticVoxelGrid
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tf2_msgs.msg import TFMessage

from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.layouts import Layout
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_ros.playback import playback_qos

OWN_TYPES = ("FrameStatus", "SemanticVoxelGrid")
DEPTH = 50


class Recorder:
    """Writes every message of the node's topics to a bag, by the time in its header.

    Args:
        node: Node that owns the subscriptions.
        layout: Cameras of the recording that is played.
        bag: Open bag.
    """

    def __init__(self, node: Node, layout: Layout, bag: BagWriter) -> None:
        self.statuses: list[FrameStatus] = []
        self.counts: dict[str, int] = {}
        self._bag = bag
        self._lock = threading.Lock()
        self._messages: dict[str, dict[int, Any]] = {}
        self._last_ns = 1
        self._node = node
        definitions = Path(get_package_share_directory("distillnerf_ros")) / "msg"
        for name in OWN_TYPES:
            bag.messages.register(f"distillnerf_ros/msg/{name}", (definitions / f"{name}.msg").read_text())
        for topic, kind in recorded_topics(layout).items():
            self._subscribe(topic, kind)

    def frame_count(self) -> int:
        """Returns how many frames the node has reported."""
        with self._lock:
            return len(self.statuses)

    def slowest_s(self) -> float:
        """Returns the longest latency of a frame so far, seconds."""
        with self._lock:
            return max((status.latency_ms for status in self.statuses), default=0.0) / 1e3

    def at(self, topic: str, time_ns: int, tolerance_ns: int = 60_000_000) -> Any | None:
        """Returns the message of a topic whose stamp is nearest to a time, None where none is near."""
        with self._lock:
            stamps = self._messages.get(topic, {})
            nearest = min(stamps, key=lambda stamp: abs(stamp - time_ns), default=None)
            return None if nearest is None or abs(nearest - time_ns) > tolerance_ns else stamps[nearest]

    def wait_for_frame(self, count: int, timeout_s: float) -> bool:
        """Waits until the node has reported a number of frames."""
        deadline = time.monotonic() + timeout_s
        while self.frame_count() < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _subscribe(self, topic: str, kind: Any) -> None:
        package = kind.__module__.split(".", maxsplit=1)[0]
        type_name = f"{package}/msg/{kind.__name__}"
        qos = playback_qos(latched=True)
        if not topic.endswith("tf_static"):
            qos = QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        self._node.create_subscription(kind, topic, lambda message: self._take(topic, type_name, message), qos)

    def _take(self, topic: str, type_name: str, message: Any) -> None:
        with self._lock:
            time_ns = _time_of(message) or self._last_ns
            self._last_ns = time_ns
            self.counts[topic] = self.counts.get(topic, 0) + 1
            self._messages.setdefault(topic, {})[time_ns] = message
            if isinstance(message, FrameStatus):
                self.statuses.append(message)
            self._bag.write_serialised(topic, type_name, serialize_message(message), time_ns)


def recorded_topics(layout: Layout) -> dict[str, Any]:
    """Returns the message class of every recorded topic: the node's inputs and outputs."""
    topics: dict[str, Any] = {"/tf": TFMessage, "/tf_static": TFMessage}
    for camera in layout.cameras:
        topics[camera.image_topic] = CompressedImage
        topics[camera.info_topic] = CameraInfo
        for output in ("depth", "semantics", "rgb"):
            topics[f"/distillnerf/{camera.name}/{output}/image"] = Image
        topics[f"/distillnerf/{camera.name}/depth/camera_info"] = CameraInfo
    topics["/distillnerf/occupancy/points"] = PointCloud2
    topics["/distillnerf/occupancy/grid"] = SemanticVoxelGrid
    topics["/distillnerf/query/points"] = PointCloud2
    topics["/distillnerf/status"] = FrameStatus
    return topics


def _time_of(message: Any) -> int:
    if isinstance(message, TFMessage):
        return stamp_ns(message.transforms[0].header) if message.transforms else 0
    return stamp_ns(message.header)
