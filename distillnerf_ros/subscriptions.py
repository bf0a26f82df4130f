"""Input topics; callbacks only hand messages on."""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any, Protocol

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from distillnerf_core.streams.layouts import Layout

INPUT_DEPTH = 5
POLL_PERIOD_S = 0.01
IMAGE_CLASSES = {"sensor_msgs/msg/Image": Image, "sensor_msgs/msg/CompressedImage": CompressedImage}
TRANSPORT_CLASSES = {"raw": Image, "compressed": CompressedImage}


class MessageSink(Protocol):
    """Takes messages; never blocks and never raises."""

    def take_image(self, camera: str, message: Any) -> None:
        """Takes an image of a camera."""

    def take_camera_info(self, camera: str, message: Any) -> None:
        """Takes the calibration of a camera."""

    def take_transforms(self, message: Any, static: bool) -> None:
        """Takes transforms."""

    def poll(self) -> None:
        """Looks for what has become due."""


class InputSubscriptions:
    """Subscriptions to all cameras, calibrations and transforms, and the timer that polls the sink.

    Args:
        node: Node that owns them.
        layout: Cameras and their topics.
        transport: "raw", "compressed" or "auto".
        reliability: "best_effort" or "reliable", of the images.
        sink: Receiver of everything.
    """

    def __init__(self, node: Node, layout: Layout, transport: str, reliability: str, sink: MessageSink) -> None:
        self._node = node
        self._subscriptions: list[Any] = []
        qos = QoSProfile(depth=INPUT_DEPTH, reliability=ReliabilityPolicy[reliability.upper()])
        types = topic_types(node)
        for camera in layout.cameras:
            image_class = image_message_class(camera.image_topic, transport, types)
            self._subscribe(image_class, camera.image_topic, partial(sink.take_image, camera.name), qos)
            if camera.info_topic:
                take_info = partial(sink.take_camera_info, camera.name)
                self._subscribe(CameraInfo, camera.info_topic, take_info, qos)
        self._subscribe(TFMessage, "/tf", partial(sink.take_transforms, static=False), QoSProfile(depth=100))
        self._subscribe(TFMessage, "/tf_static", partial(sink.take_transforms, static=True), static_qos())
        self._timer = node.create_timer(POLL_PERIOD_S, sink.poll, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def destroy(self) -> None:
        """Ends all subscriptions."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _subscribe(self, kind: Any, topic: str, callback: Callable[[Any], None], qos: QoSProfile) -> None:
        overrides = QoSOverridingOptions.with_default_policies()
        # rclpy writes the overrides into the profile that it is given.
        created = self._node.create_subscription(kind, topic, callback, copy(qos), qos_overriding_options=overrides)
        self._subscriptions.append(created)


def image_message_class(topic: str, transport: str, types: dict[str, str]) -> Any:
    """Returns the message class of an image topic: as asked, else as published, else by its name."""
    if transport in TRANSPORT_CLASSES:
        return TRANSPORT_CLASSES[transport]
    by_name = CompressedImage if "compressed" in topic else Image
    return IMAGE_CLASSES.get(types.get(topic, ""), by_name)


def topic_types(node: Node) -> dict[str, str]:
    """Returns the message type of every topic that the node sees; the first where there are several."""
    return {name: kinds[0] for name, kinds in node.get_topic_names_and_types() if kinds}


def static_qos() -> QoSProfile:
    """Returns the QoS of /tf_static: late joiners receive what was published before."""
    return QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
