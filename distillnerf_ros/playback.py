"""Publishes the messages of a recording with their original spacing."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from distillnerf_core.errors import BagError, ConfigurationError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.bag_storage import SerialisedMessage
from distillnerf_ros.conversions.fields import NANOSECONDS, header
from distillnerf_ros.pacer import Pacer
from distillnerf_ros.playback_options import PlaybackOptions

logger = logging.getLogger(__name__)

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CLOCK_PERIOD_S = 0.01
MATCH_POLL_S = 0.02
ACKNOWLEDGE_S = 2.0
_SLICE = Duration(seconds=0.1)


class BagPlayer:
    """Plays a recording on publishers of its own.

    Args:
        node: Node that owns the publishers.
        bag: Open recording.
        options: What is played and how fast.
        pause_key: Called often; True pauses, or goes on.
        progress: Called often with the seconds of the recording that were played.

    Attributes:
        pacer: The recording's time.

    Raises:
        BagError: If the recording is empty or of another system.
        ConfigurationError: If the options do not fit the recording.
    """

    def __init__(
        self,
        node: Node,
        bag: BagReader,
        options: PlaybackOptions | None = None,
        pause_key: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._node = node
        self._bag = bag
        self._options = options or PlaybackOptions()
        self._pause_key = pause_key
        self._progress = progress
        self.pacer = Pacer(self._options.rate)
        self._start_ns, self._stop_ns = self._span()
        self._types = self._options.chosen(bag.topic_types(), str(bag.path))
        self._latched = bag.latched_topics() | {topic for topic in self._types if topic.endswith("tf_static")}
        self._clock = node.create_publisher(Clock, "/clock", 10) if self._options.clock else None
        self._publishers = self._create_publishers()
        self._next_tick = 0.0

    @property
    def seconds(self) -> float | None:
        """Length of what is played; None where a recording without an index does not tell."""
        known = self._bag.time_range_ns()
        if self._stop_ns is None and known is None:
            return None
        last_ns = min(item for item in (self._stop_ns, known[1] if known else None) if item is not None)
        return (last_ns - self._start_ns) / NANOSECONDS

    def wait_for_subscribers(self, timeout_s: float) -> list[str]:
        """Waits until every image topic has a subscriber; returns the topics that have none."""
        deadline = time.monotonic() + timeout_s
        images = [topic for topic in self._publishers if self._types[topic] in IMAGE_TYPES]
        while missing := [topic for topic in images if not self._publishers[topic].get_subscription_count()]:
            if time.monotonic() >= deadline or not self._node.context.ok():
                break
            time.sleep(MATCH_POLL_S)
        return missing

    def play(self) -> int:
        """Plays the recording once; returns the number of messages. Ends at once when the context is shut down.

        Raises:
            BagError: After the last readable message of a recording that is cut.
        """
        count = self._publish_latched()
        self.pacer.start(self._start_ns)
        for message in self._bag.serialised(list(self._publishers), self._start_ns, self._stop_ns):
            if not self._wait_until(message.log_ns):
                return count
            self._publishers[message.topic].publish(bytes(message.data))
            count += 1
        self._wait_until_acknowledged()
        return count

    def _publish_latched(self) -> int:
        """Publishes the latched messages from before the start, which late subscribers would have received."""
        topics = [topic for topic in self._publishers if topic in self._latched]
        count = 0
        with suppress(BagError):  # that a recording is cut is said after what was readable is played
            for message in self._bag.serialised(topics, None, self._start_ns):
                self._publishers[message.topic].publish(bytes(message.data))
                count += 1
        return count

    def _wait_until(self, time_ns: int) -> bool:
        """Waits for a time of the recording; False where the context was shut down meanwhile."""
        while self._node.context.ok():
            self._tick()
            wait_s = self.pacer.wait_s(time_ns)
            if wait_s <= 0:
                return True
            time.sleep(min(wait_s, CLOCK_PERIOD_S))
        return False

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + CLOCK_PERIOD_S
        if self._pause_key():
            self.pacer.toggle()
        time_ns = self.pacer.now_ns()
        self._progress((time_ns - self._start_ns) / NANOSECONDS)
        if self._clock is not None:
            self._clock.publish(Clock(clock=header(time_ns, "").stamp))

    def _wait_until_acknowledged(self) -> None:
        deadline = time.monotonic() + ACKNOWLEDGE_S
        for publisher in self._publishers.values():
            while time.monotonic() < deadline and self._node.context.ok():
                if publisher.wait_for_all_acked(_SLICE):
                    break

    def _span(self) -> tuple[int, int | None]:
        """Returns the time to start at and the time to stop before."""
        known = self._bag.time_range_ns()
        first_ns = known[0] if known else _first_time_ns(self._bag)
        start_ns = first_ns + round(self._options.start_offset_s * NANOSECONDS)
        if known and start_ns > known[1]:
            length_s = (known[1] - known[0]) / NANOSECONDS
            raise ConfigurationError(
                f"start offset {self._options.start_offset_s:g} s: {self._bag.path} ends after {length_s:.3f} s"
            )
        if self._options.duration_s is None:
            return start_ns, None
        return start_ns, start_ns + round(self._options.duration_s * NANOSECONDS)

    def _create_publishers(self) -> dict[str, Publisher]:
        publishers = {}
        for topic, kind in self._types.items():
            try:
                message_class = import_message(kind)
            except (ImportError, AttributeError):
                logger.warning("%s is skipped: message type %s is not installed", topic, kind)
                continue
            name = self._options.remaps.get(topic, topic)
            publishers[topic] = self._node.create_publisher(message_class, name, playback_qos(topic in self._latched))
        return publishers


def playback_qos(latched: bool) -> QoSProfile:
    """Returns reliable QoS; what is latched is kept for nodes that join later."""
    if latched:
        durability = DurabilityPolicy.TRANSIENT_LOCAL
        return QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
    return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


def import_message(kind: str) -> Any:
    """Returns the class of a message type such as "sensor_msgs/msg/Image"."""
    package, _, name = kind.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def _first_time_ns(bag: BagReader) -> int:
    first: SerialisedMessage | None = next(bag.serialised(), None)
    if first is None:
        raise BagError(f"{bag.path} holds no message: record it again")
    return first.log_ns
