"""What is built on a node is there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.node import Node


@contextmanager
def all_or_nothing(node: Node) -> Iterator[None]:
    """Destroys the topics and timers that the node gained within the block, where the block fails.

    Args:
        node: Node that only this thread builds on meanwhile.
    """
    before = [*node.publishers, *node.subscriptions, *node.timers]
    try:
        yield
    except BaseException:
        for publisher in [item for item in node.publishers if item not in before]:
            node.destroy_publisher(publisher)
        for subscription in [item for item in node.subscriptions if item not in before]:
            node.destroy_subscription(subscription)
        for timer in [item for item in node.timers if item not in before]:
            node.destroy_timer(timer)
        raise
