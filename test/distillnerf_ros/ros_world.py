"""A node under test, a client that sees it over real DDS, and builders of messages. Needs ROS 2."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
import torch
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from distillnerf_ros.srv import QueryText
from geometry_msgs.msg import Transform, TransformStamped, Vector3
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from torch import Tensor

from distillnerf_core.geometry.transforms import quaternion_from_matrix
from distillnerf_core.language.codec import create_feature_codec
from distillnerf_core.model.checkpoint import save_predictor
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor
from distillnerf_core.simulation.rig import CAMERA_NAMES, PHASES_MS, nuscenes_rig
from distillnerf_ros.conversions.fields import byte_array
from distillnerf_ros.node import DistillNerfNode

IMAGE_SIZE = (48, 88)
START_NS = 1_700_000_000_000_000_000
WAIT_S = 30.0
PATIENT = {"sync.grace_s": 0.5, "input.reliability": "reliable"}
"""Parameters under which no image is lost or late on a machine that stops for some tenths of a second."""


class FakeEncoder:
    """A text encoder without files: a fixed random direction for each text."""

    name = "fake"

    def encode(self, texts: Sequence[str]) -> Tensor:
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        rows = [torch.randn(64, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


class World:
    """A node under test, a client that sees its topics, and six simulated cameras."""

    def __init__(self, domain: int, parameters: dict[str, Any]) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        overrides = [Parameter(name, value=value) for name, value in {**PATIENT, **parameters}.items()]
        self.node = DistillNerfNode(context=self.context, parameter_overrides=overrides)
        self.client = rclpy.create_node("client", context=self.context)
        self._domain = domain
        self._elsewhere: list[rclpy.Context] = []
        self.received: dict[str, list[Any]] = {}
        self._changed = threading.Condition()
        self._executor = SingleThreadedExecutor(context=self.context)
        for node in (self.node, self.client):
            self._executor.add_node(node)
        self._change_state = self.client.create_client(ChangeState, "/distillnerf/change_state")
        self._query = self.client.create_client(QueryText, "/query_text")
        self._image_publishers: dict[str, Any] = {}
        self._info_publishers: dict[str, Any] = {}
        self.listen("/diagnostics", DiagnosticArray)
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._tf_static = self.client.create_publisher(TFMessage, "/tf_static", latched)
        self.tf = self.client.create_publisher(TFMessage, "/tf", 100)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join(WAIT_S)
        self.node.destroy_node()
        self.client.destroy_node()
        for context in (self.context, *self._elsewhere):
            context.try_shutdown()

    def listen(self, topic: str, kind: Any) -> None:
        def take(message: Any) -> None:
            with self._changed:
                self.received.setdefault(topic, []).append(message)
                self._changed.notify_all()

        self.client.create_subscription(kind, topic, take, 50)

    def wait_for(self, what: str, predicate: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (value := predicate()):
                assert time.monotonic() < deadline, f"{what} did not happen; diagnostics: {self.diagnostics()}"
                self._changed.wait(0.02)
        return value

    def wait_for_message(self, topic: str, accept: Callable[[Any], bool] = lambda message: True) -> Any:
        def newest() -> Any:
            return next((item for item in reversed(self.received.get(topic, [])) if accept(item)), None)

        return self.wait_for(f"message on {topic}", newest)

    def transition(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(self._change_state, request).success)

    def activate(self, transport: Any = CompressedImage) -> None:
        """Configures and activates the node, and plugs the cameras in."""
        assert self.transition(Transition.TRANSITION_CONFIGURE)
        self.plug_in(transport)
        assert self.transition(Transition.TRANSITION_ACTIVATE)
        self.wait_for("a layout", lambda: self.node.session)
        publishers = [*self._image_publishers.values(), *self._info_publishers.values(), self.tf]
        self.wait_for("subscriptions", lambda: all(item.get_subscription_count() for item in publishers))
        self.publish_mounts()
        for name in CAMERA_NAMES:
            self._info_publishers[name].publish(camera_info(name, START_NS))
        session = self.node.session
        assert session is not None
        calibration = session.stream.calibrations.calibration
        self.wait_for("calibrations", lambda: all(map(calibration, CAMERA_NAMES)))

    def plug_in(self, transport: Any, node: Any = None) -> None:
        node = node or self.client
        for name in CAMERA_NAMES:
            self._image_publishers[name] = node.create_publisher(transport, f"/{name}/image_rect_compressed", 10)
            self._info_publishers[name] = node.create_publisher(CameraInfo, f"/{name}/camera_info", 10)

    def node_elsewhere(self) -> Any:
        """Makes a node with a participant of its own: within one, a topic has one type only."""
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=self._domain)
        self._elsewhere.append(context)
        return rclpy.create_node("elsewhere", context=context)

    def query(self, **fields: Any) -> QueryText.Response:
        return self.call(self._query, QueryText.Request(**fields))

    def call(self, client: Any, request: Any) -> Any:
        self.wait_for(f"service {client.srv_name}", client.service_is_ready)
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        assert done.wait(WAIT_S), f"no answer from {client.srv_name}"
        return future.result()

    def diagnostics(self) -> dict[str, tuple[int, str]]:
        """The newest level and message of every part."""
        newest = (self.received.get("/diagnostics") or [DiagnosticArray()])[-1]
        return {item.name.split(": ", 1)[1]: (item.level[0], item.message) for item in newest.status}

    def wait_for_trouble(self, part: str, *words: str) -> None:
        def troubled() -> bool:
            level, message = self.diagnostics().get(part, (0, ""))
            return level in (1, 2) and all(word in message for word in words)

        self.wait_for(f"diagnostics of {part} with {words}", troubled)

    def publish_mounts(self) -> None:
        poses = nuscenes_rig().camera_to_ego.double().numpy()
        mounts = [transform("base_link", name, pose, 0) for name, pose in zip(CAMERA_NAMES, poses, strict=True)]
        self._tf_static.publish(TFMessage(transforms=mounts))

    def publish_pose(self, time_ns: int) -> None:
        pose = np.eye(4)
        pose[0, 3] = 5.0 * (time_ns - START_NS) * 1e-9
        self.tf.publish(TFMessage(transforms=[transform("map", "base_link", pose, time_ns)]))

    def publish_sweep(
        self, number: int, images: dict[str, Any] | None = None, infos: dict[str, Any] | None = None
    ) -> int:
        """Publishes one sweep with its poses; replacements by camera, None for a silent one."""
        start_ns = START_NS + number * 500_000_000
        for offset_ns in (-100_000_000, 0, 100_000_000):
            self.publish_pose(start_ns + offset_ns)
        for name, phase in zip(CAMERA_NAMES, PHASES_MS, strict=True):
            stamp_ns = start_ns + round(phase * 1e6)
            info = (infos or {}).get(name) or camera_info(name, stamp_ns)
            self._info_publishers[name].publish(info)
            image = (images or {}).get(name, jpeg_image(name, stamp_ns))
            if image is not None:
                image.header = header(stamp_ns, name)
                self._image_publishers[name].publish(image)
        return start_ns + round(PHASES_MS[CAMERA_NAMES.index("CAM_FRONT")] * 1e6)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return


def header(stamp_ns: int, frame_id: str) -> Header:
    return Header(stamp=Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9), frame_id=frame_id)


def picture(name: str) -> np.ndarray:
    """A coloured gradient with a pattern, different for every camera."""
    height, width = IMAGE_SIZE
    rows, columns = np.mgrid[0:height, 0:width]
    camera = CAMERA_NAMES.index(name)
    channels = (rows * 255 // height, columns * 255 // width, (rows // 8 + columns // 8 + camera) % 2 * 200)
    return np.stack(channels, axis=-1).astype(np.uint8)


def jpeg_image(name: str, stamp_ns: int) -> CompressedImage:
    encoded, data = cv2.imencode(".jpg", picture(name)[..., ::-1])
    assert encoded
    return CompressedImage(header=header(stamp_ns, name), format="jpeg", data=byte_array(data))


def raw_image(pixels: np.ndarray, encoding: str) -> Image:
    height, width = pixels.shape[:2]
    step = pixels.nbytes // height
    return Image(height=height, width=width, encoding=encoding, step=step, data=byte_array(pixels))


def camera_info(name: str, stamp_ns: int) -> CameraInfo:
    intrinsics = nuscenes_rig(*IMAGE_SIZE).intrinsics[CAMERA_NAMES.index(name)].double().numpy()
    info = CameraInfo(header=header(stamp_ns, name), height=IMAGE_SIZE[0], width=IMAGE_SIZE[1])
    info.k = intrinsics.reshape(9)
    info.r = np.eye(3).reshape(9)
    info.p = np.hstack([intrinsics, np.zeros((3, 1))]).reshape(12)
    return info


def transform(parent: str, child: str, pose: np.ndarray, stamp_ns: int) -> TransformStamped:
    x, y, z, w = (float(value) for value in quaternion_from_matrix(pose[:3, :3]))
    moved = Vector3(x=float(pose[0, 3]), y=float(pose[1, 3]), z=float(pose[2, 3]))
    message = TransformStamped(
        header=header(stamp_ns, parent), child_frame_id=child, transform=Transform(translation=moved)
    )
    rotation = message.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = x, y, z, w
    return message


def write_checkpoint(path: Path) -> None:
    """Writes a small network with seeded weights, whose language belongs to `FakeEncoder`."""
    torch.manual_seed(0)
    config = PredictorConfig(image_height=IMAGE_SIZE[0], image_width=IMAGE_SIZE[1], levels=(4, 6), language_channels=16)
    codec = create_feature_codec(FakeEncoder(), 16)
    save_predictor(path, config, ScenePredictor(config).state_dict(), codec, {"note": "random"})
