"""A running node's topics in the Rerun viewer."""

import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from tf2_msgs.msg import TFMessage

from distillnerf_core.errors import DistillNerfError, TransformError
from distillnerf_core.perception.rerun_scene import RerunScene
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.layouts import detect_layout
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_core.streams.transform_buffer import TransformBuffer
from distillnerf_ros.conversions.clouds import OCCUPANCY_POINT, QUERY_POINT
from distillnerf_ros.msg import FrameStatus
from distillnerf_ros.qos import static_qos
from distillnerf_ros.subscriptions import image_message_class, topic_types

logger = logging.getLogger(__name__)

LOOK_PERIOD_S = 0.5
FIXED_FRAMES = ("odom", "map", "world")
DEPTH_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
IMAGE_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)


class LiveView:
    """Shows everything that a node publishes, as it finds the topics.

    Args:
        node: Node that owns the subscriptions.
        scene: Where everything is shown.
        target: Full name of the perceiving node, such as "/distillnerf".

    Attributes:
        frames: Number of frames that the node reported.
        cameras: Cameras found so far, in alphabetical order.
    """

    def __init__(self, node: Node, scene: RerunScene, target: str) -> None:
        self.frames = 0
        self.cameras: list[str] = []
        self._node = node
        self._scene = scene
        self._target = target
        self._decoder = ImageDecoder()
        self._transforms = TransformBuffer()
        self._calibrations: dict[str, CameraInfo] = {}
        self._camera_topic = re.compile(re.escape(target) + r"/([^/]+)/depth/image")
        self._images: set[str] = set()
        self._edge_m = 0.4
        self._listen(TFMessage, "/tf", partial(self._take_transforms, static=False), QoSProfile(depth=100))
        self._listen(TFMessage, "/tf_static", partial(self._take_transforms, static=True), static_qos())
        self._listen(PointCloud2, f"{target}/occupancy/points", self._take_occupancy, DEPTH_QOS)
        self._listen(PointCloud2, f"{target}/query/points", self._take_answer, DEPTH_QOS)
        self._listen(FrameStatus, f"{target}/status", self._take_status, DEPTH_QOS)
        node.create_timer(LOOK_PERIOD_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _listen(self, kind: Any, topic: str, take: Callable[[Any], None], qos: QoSProfile) -> None:
        def guarded(message: Any) -> None:
            try:
                take(message)
            except DistillNerfError as err:
                logger.warning("%s: %s", topic, err)

        self._node.create_subscription(kind, topic, guarded, qos)

    def _look(self) -> None:
        """Looks for cameras: those of the node's depth images, and the images that it works on."""
        types = topic_types(self._node)
        found = {match.group(1) for topic in types if (match := self._camera_topic.fullmatch(topic))}
        for camera in sorted(found - set(self.cameras)):
            prefix = f"{self._target}/{camera}"
            self._listen(CameraInfo, f"{prefix}/depth/camera_info", partial(self._take_info, camera), DEPTH_QOS)
            self._listen(Image, f"{prefix}/depth/image", partial(self._take_depth, camera), DEPTH_QOS)
            self._listen(Image, f"{prefix}/semantics/image", partial(self._take_semantics, camera), DEPTH_QOS)
        if found - set(self.cameras):
            self.cameras = sorted(found | set(self.cameras))
            self._scene.arrange(self.cameras)
        layout = detect_layout(types)
        for item in layout.cameras if layout else ():
            if item.name in self.cameras and item.name not in self._images:
                self._images.add(item.name)
                kind = image_message_class(item.image_topic, "auto", types)
                self._listen(kind, item.image_topic, partial(self._take_image, item.name), IMAGE_QOS)

    def _take_transforms(self, message: Any, static: bool) -> None:
        self._transforms.add_message(message, static)

    def _take_info(self, camera: str, message: CameraInfo) -> None:
        self._calibrations[camera] = message

    def _take_image(self, camera: str, message: Any) -> None:
        """Shows an image at twice the size of the depth image, once its calibration is known."""
        info = self._calibrations.get(camera)
        if info is not None:
            self._scene.set_time(stamp_ns(message.header))
            image = self._decoder.decode(message, (2 * info.height, 2 * info.width))
            self._scene.log_image(camera, image, _intrinsics(info, scale=2.0))

    def _take_depth(self, camera: str, message: Image) -> None:
        info = self._calibrations.get(camera)
        if info is None:
            return
        self._scene.set_time(stamp_ns(message.header))
        depth = np.frombuffer(message.data, np.float32).reshape(message.height, message.width)
        self._scene.log_depth(camera, depth, _intrinsics(info))

    def _take_semantics(self, camera: str, message: Image) -> None:
        info = self._calibrations.get(camera)
        if info is not None:
            self._scene.set_time(stamp_ns(message.header))
            self._scene.log_colors(camera, "semantics", self._decoder.decode(message), _intrinsics(info))

    def _take_occupancy(self, message: PointCloud2) -> None:
        points = np.frombuffer(message.data, OCCUPANCY_POINT)
        centers = _positions(points)
        self._edge_m = _spacing(centers, self._edge_m)
        self._scene.set_time(stamp_ns(message.header))
        self._place(message.header.frame_id, stamp_ns(message.header))
        self._scene.log_voxels(centers, _colors(points), self._edge_m)

    def _take_answer(self, message: PointCloud2) -> None:
        points = np.frombuffer(message.data, QUERY_POINT)
        self._scene.set_time(stamp_ns(message.header))
        self._scene.log_answer("answer", _positions(points), _colors(points), self._edge_m)

    def _take_status(self, message: FrameStatus) -> None:
        self.frames += 1
        self._scene.set_time(stamp_ns(message.header))
        self._scene.log_number("latency_ms", message.latency_ms)
        for stage, duration_ms in zip(message.stages, message.stage_ms, strict=True):
            self._scene.log_number(f"{stage}_ms", duration_ms)
        missing = [name for name, used in zip(message.cameras, message.used, strict=True) if not used]
        if missing:
            self._scene.log_text(f"without {', '.join(missing)}", "WARN")

    def _place(self, base_frame: str, time_ns: int) -> None:
        """Places the vehicle and its cameras, as far as transforms are known."""
        for fixed in FIXED_FRAMES:
            if self._transforms.connected(fixed, base_frame):
                try:
                    self._scene.log_pose(self._transforms.lookup(fixed, time_ns, base_frame, time_ns, fixed))
                except TransformError:
                    logger.debug("no pose at %d", time_ns)
                break
        for camera, info in self._calibrations.items():
            if self._transforms.connected(base_frame, info.header.frame_id):
                self._scene.log_camera(camera, self._transforms.lookup_latest(base_frame, info.header.frame_id))


def watch(scene: RerunScene, target: str, max_frames: int | None = None) -> None:
    """Shows a running node until it is interrupted.

    Args:
        scene: Where everything is shown.
        target: Full name of the node.
        max_frames: Frames to show; None: until interrupted.
    """
    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=rclpy.signals.SignalHandlerOptions.ALL)
    node = rclpy.create_node("distillnerf_view", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    view = LiveView(node, scene, target)
    try:
        while context.ok() and (max_frames is None or view.frames < max_frames):
            executor.spin_once(timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException):
        logger.info("interrupted after %d frames", view.frames)
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


def _intrinsics(info: CameraInfo, scale: float = 1.0) -> NDArray[np.float64]:
    matrix: NDArray[np.float64] = np.asarray(info.k, dtype=np.float64).reshape(3, 3) * [[scale], [scale], [1.0]]
    return matrix


def _positions(points: NDArray[Any]) -> NDArray[np.float32]:
    return np.stack([points[axis] for axis in "xyz"], axis=1)


def _colors(points: NDArray[Any]) -> NDArray[np.uint8]:
    packed = points["rgb"]
    return np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=1).astype(np.uint8)


def _spacing(centers_m: NDArray[np.float32], otherwise: float) -> float:
    """Returns the edge of voxels: the smallest distance between layers that hold some."""
    gaps = np.diff(np.unique(np.round(centers_m[:, 2], 3)))
    return float(gaps.min()) if len(gaps) else otherwise
