"""Quality of service of the node's topics; parameters `qos_overrides.TOPIC...` change it.

rclpy looks at an event handler of every topic whenever it waits, which took a third of the executor's time. The topics
here have none; who hears nothing for the sake of QoS is looked up once a second instead and is on /diagnostics.
"""

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

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
    return node.create_publisher(
        kind,
        topic,
        qos,
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        event_callbacks=PublisherEventCallbacks(use_default_callbacks=False),
    )


def create_input(node: Node, kind: Any, topic: str, callback: Callable[[Any], None], qos: QoSProfile) -> Subscription:
    """Returns the subscription of an input, with the overrides that parameters set.

    Args:
        node: Node that owns it.
        kind: Message class.
        topic: Name.
        callback: Takes the messages.
        qos: Where no parameter overrides it.
    """
    return node.create_subscription(
        kind,
        topic,
        callback,
        copy(qos),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
    )


def static_qos() -> QoSProfile:
    """Returns the QoS of /tf_static: late joiners receive what was published before."""
    return QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def heard(publisher: Publisher) -> bool:
    """Tells whether anybody subscribes."""
    return int(publisher.get_subscription_count()) > 0


def misfit(offered: QoSProfile, requested: QoSProfile) -> str:
    """Returns why nothing passes between a publisher and a subscriber; "" where it does."""
    compatibility, reason = qos_check_compatible(offered, requested)
    return str(reason).strip(" ;") if compatibility == QoSCompatibility.ERROR else ""


def deaf_listeners(node: Node) -> Iterator[str]:
    """Says which subscribers of the node's topics hear nothing, since their QoS asks for more than is offered."""
    for publisher in node.publishers:
        topic = publisher.topic_name
        if node.count_subscribers(topic) <= publisher.get_subscription_count():
            continue
        for listener in node.get_subscriptions_info_by_topic(topic):
            if reason := misfit(publisher.qos_profile, listener.qos_profile):
                yield f"{listener.node_name} hears nothing on {topic}: {reason}"
