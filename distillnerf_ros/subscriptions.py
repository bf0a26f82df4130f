"""Input topics; callbacks only hand messages on."""

import logging
from functools import partial
from typing import Any, Protocol

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from distillnerf_core.streams.layouts import Layout
from distillnerf_ros.qos import create_input, misfit, static_qos

logger = logging.getLogger(__name__)

INPUT_DEPTH = 5
POLL_PERIOD_S = 0.02
LOOK_PERIOD_S = 1.0
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

    def report_image_topic(self, camera: str, problem: str) -> None:
        """Takes the reason why nothing can arrive from a camera."""

    def poll(self) -> None:
        """Looks for what has become due."""


class InputSubscriptions:
    """Subscriptions to all cameras, calibrations and transforms, and what polls the sink.

    A source may start after the node: until then the type of its images is guessed, and mended when it is seen.

    Args:
        node: Node that owns them.
        layout: Cameras and their topics.
        transport: "raw", "compressed" or "auto".
        reliability: "best_effort" or "reliable", of the images.
        sink: Receiver of everything.
    """

    def __init__(self, node: Node, layout: Layout, transport: str, reliability: str, sink: MessageSink) -> None:
        self._node = node
        self._transport = transport
        self._sink = sink
        self._qos = QoSProfile(depth=INPUT_DEPTH, reliability=ReliabilityPolicy[reliability.upper()])
        self._images: dict[str, Subscription] = {}
        self._infos: dict[str, Subscription] = {}
        for camera in layout.cameras:
            topic = node.resolve_topic_name(camera.image_topic)
            image_class = image_message_class(topic, transport, {topic: _published_type(node, topic)})
            self._images[camera.name] = self._subscribe_images(camera.name, topic, image_class)
            if camera.info_topic:
                self._infos[camera.name] = self._subscribe_info(camera.name, camera.info_topic, self._qos)
        self._transforms = [
            create_input(node, TFMessage, "/tf", partial(sink.take_transforms, static=False), QoSProfile(depth=100)),
            create_input(node, TFMessage, "/tf_static", partial(sink.take_transforms, static=True), static_qos()),
        ]
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers = [
            node.create_timer(POLL_PERIOD_S, sink.poll, clock=steady),
            node.create_timer(LOOK_PERIOD_S, self._look, clock=steady),
        ]

    def destroy(self) -> None:
        """Ends all subscriptions."""
        for timer in self._timers:
            self._node.destroy_timer(timer)
        for subscription in [*self._images.values(), *self._infos.values(), *self._transforms]:
            self._node.destroy_subscription(subscription)
        self._images.clear()
        self._infos.clear()

    def _look(self) -> None:
        try:
            self._look_around()
        except Exception:  # the node outlives a failed look, and looks again
            if self._node.context.ok():
                logger.exception("looking at the input topics failed")

    def _look_around(self) -> None:
        """Mends what was guessed of topics before anybody published them, and says what cannot be heard."""
        for camera, subscription in list(self._images.items()):
            for publisher in self._node.get_publishers_info_by_topic(subscription.topic_name)[:1]:
                self._check_images(camera, subscription, publisher)
        for camera, subscription in list(self._infos.items()):
            self._check_info(camera, subscription)

    def _check_images(self, camera: str, subscription: Subscription, publisher: TopicEndpointInfo) -> None:
        topic, found = subscription.topic_name, str(publisher.topic_type)
        carries = f"{topic} carries {found}, which is not what is awaited"
        if found not in IMAGE_CLASSES:
            self._sink.report_image_topic(camera, f"{carries}: name the topic of its images in the preset")
        elif IMAGE_CLASSES[found] is subscription.msg_type:
            if reason := misfit(publisher.qos_profile, subscription.qos_profile):
                self._sink.report_image_topic(camera, f"{topic} cannot be heard: {reason}; see input.reliability")
        elif self._transport in TRANSPORT_CLASSES:
            remedy = f"set input.image_transport to auto instead of {self._transport}"
            self._sink.report_image_topic(camera, f"{carries}: {remedy}")
        else:
            self._node.destroy_subscription(subscription)
            self._images[camera] = self._subscribe_images(camera, topic, IMAGE_CLASSES[found])

    def _check_info(self, camera: str, subscription: Subscription) -> None:
        """Subscribes so that what latching publishers said before, perhaps once and for all, is sent."""
        topic = subscription.topic_name
        offered = [info.qos_profile.durability for info in self._node.get_publishers_info_by_topic(topic)]
        latched = bool(offered) and all(item is DurabilityPolicy.TRANSIENT_LOCAL for item in offered)
        hears_latched = subscription.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
        if offered and latched != hears_latched:
            self._node.destroy_subscription(subscription)
            self._infos[camera] = self._subscribe_info(camera, topic, static_qos() if latched else self._qos)

    def _subscribe_images(self, camera: str, topic: str, image_class: Any) -> Subscription:
        return create_input(self._node, image_class, topic, partial(self._sink.take_image, camera), self._qos)

    def _subscribe_info(self, camera: str, topic: str, qos: QoSProfile) -> Subscription:
        return create_input(self._node, CameraInfo, topic, partial(self._sink.take_camera_info, camera), qos)


def image_message_class(topic: str, transport: str, types: dict[str, str]) -> Any:
    """Returns the message class of an image topic: as asked, else as published, else by its name."""
    if transport in TRANSPORT_CLASSES:
        return TRANSPORT_CLASSES[transport]
    by_name = CompressedImage if "compressed" in topic else Image
    return IMAGE_CLASSES.get(types.get(topic, ""), by_name)


def topic_types(node: Node) -> dict[str, str]:
    """Returns the message type of every topic that the node sees; the first where there are several."""
    return {name: kinds[0] for name, kinds in node.get_topic_names_and_types() if kinds}


def _published_type(node: Node, topic: str) -> str:
    """Returns the message type that a topic is published with, the first of several; "" while nobody publishes."""
    return next((str(publisher.topic_type) for publisher in node.get_publishers_info_by_topic(topic)), "")
