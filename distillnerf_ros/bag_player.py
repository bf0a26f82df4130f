"""Plays a rosbag2 recording where rosbag2 is not installed: `python -m distillnerf_ros.bag_player BAG --clock`."""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from distillnerf_core.errors import BagError, DistillNerfError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.bag_storage import SerialisedMessage
from distillnerf_ros.conversions.fields import NANOSECONDS, header

logger = logging.getLogger(__name__)

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CLOCK_PERIOD_S = 0.01
MATCH_POLL_S = 0.02


class BagPlayer:
    """Publishes the messages of a recording with their original spacing.

    Args:
        node: Node that owns the publishers.
        bag: Open recording.
        rate: Speed; 2 is twice as fast.
        clock: Publish the recording's time on /clock.
    """

    def __init__(self, node: Node, bag: BagReader, rate: float, clock: bool) -> None:
        self._node = node
        self._bag = bag
        self._rate = rate
        self._clock = node.create_publisher(Clock, "/clock", 10) if clock else None
        self._publishers = self._create_publishers()

    def wait_for_subscribers(self, timeout_s: float) -> list[str]:
        """Waits until every image topic has a subscriber; returns the topics that have none."""
        deadline = time.monotonic() + timeout_s
        images = [topic for topic, kind in self._bag.topic_types().items() if kind in IMAGE_TYPES]
        while missing := [topic for topic in images if not self._publishers[topic].get_subscription_count()]:
            if time.monotonic() > deadline or not self._node.context.ok():
                break
            self._tick(0)
            time.sleep(MATCH_POLL_S)
        return missing

    def play(self) -> int:
        """Plays the recording once; returns the number of messages.

        Raises:
            BagError: After the last readable message of a recording that is cut.
        """
        count = 0
        for message in self._paced(self._bag.serialised(list(self._publishers))):
            self._publishers[message.topic].publish(bytes(message.data))
            count += 1
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=2.0))
        return count

    def _paced(self, messages: Iterator[SerialisedMessage]) -> Iterator[SerialisedMessage]:
        first_ns: int | None = None
        start = time.monotonic()
        for message in messages:
            first_ns = message.log_ns if first_ns is None else first_ns
            due = start + (message.log_ns - first_ns) / NANOSECONDS / self._rate
            while self._node.context.ok() and (wait_s := due - time.monotonic()) > 0:
                self._tick(message.log_ns - round(wait_s * self._rate * NANOSECONDS))
                time.sleep(min(wait_s, CLOCK_PERIOD_S))
            if not self._node.context.ok():
                return
            yield message

    def _tick(self, time_ns: int) -> None:
        if self._clock is not None and time_ns > 0:
            self._clock.publish(Clock(clock=header(time_ns, "").stamp))

    def _create_publishers(self) -> dict[str, Publisher]:
        publishers = {}
        for topic, kind in self._bag.topic_types().items():
            try:
                message_class = import_message(kind)
            except (ImportError, AttributeError):
                logger.warning("%s is skipped: message type %s is not installed", topic, kind)
                continue
            publishers[topic] = self._node.create_publisher(message_class, topic, playback_qos(topic))
        return publishers


def playback_qos(topic: str) -> QoSProfile:
    """Returns reliable QoS; static transforms are kept for nodes that join later."""
    if topic.endswith("tf_static"):
        durability = DurabilityPolicy.TRANSIENT_LOCAL
        return QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
    return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


def import_message(kind: str) -> Any:
    """Returns the class of a message type such as "sensor_msgs/msg/Image"."""
    package, _, name = kind.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays a bag from the command line; returns the exit status."""
    options = _parser().parse_args(arguments if arguments is not None else _own_arguments())
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    rclpy.init()
    node = rclpy.create_node("distillnerf_bag_player")
    try:
        with BagReader(options.bag) as bag:
            _play(BagPlayer(node, bag, options.rate, options.clock), options.wait, options.loop)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    except DistillNerfError as err:
        logger.error("%s", err)
        return 2
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _play(player: BagPlayer, wait_s: float, loop: bool) -> None:
    if missing := player.wait_for_subscribers(wait_s):
        logger.warning("nobody subscribes to %s; playing anyway", ", ".join(missing))
    again = True
    while again and rclpy.ok():
        count = _once(player.play)
        logger.info("played %d messages", count)
        again = loop


def _once(play: Callable[[], int]) -> int:
    try:
        return play()
    except BagError as err:
        logger.warning("%s", err)
        return 0


def _own_arguments() -> list[str]:
    return [str(item) for item in rclpy.utilities.remove_ros_args(sys.argv)[1:]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path, help="rosbag2 folder, .mcap or .db3 file")
    parser.add_argument("--rate", type=float, default=1.0, help="speed of playback")
    parser.add_argument("--clock", action="store_true", help="publish the recording's time on /clock")
    parser.add_argument("--loop", action="store_true", help="play again and again")
    parser.add_argument("--wait", type=float, default=10.0, help="longest wait for subscribers, seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
