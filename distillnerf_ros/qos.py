"""Quality of service of the node's topics; parameters `qos_overrides.TOPIC...` change it."""

from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

OUTPUT_DEPTH = 2


def create_output(node: Node, kind: Any, topic: str) -> Publisher:
    """Returns the publisher of an output: reliable with a depth of 2, where no parameter overrides it.

    Args:
        node: Node that owns it.
        kind: Message class.
        topic: Name, relative to the node where it begins with "~/".
    """
    # rclpy writes the overrides into the profile that it is given.
    qos = QoSProfile(depth=OUTPUT_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
    return node.create_publisher(kind, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies())


def heard(publisher: Publisher) -> bool:
    """Tells whether anybody subscribes."""
    return int(publisher.get_subscription_count()) > 0
