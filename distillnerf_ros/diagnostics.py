"""Publishes the health board on /diagnostics once a second."""

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from distillnerf_ros.health import Condition, HealthBoard

PERIOD_S = 1.0


class DiagnosticsPublisher:
    """Publishes `diagnostic_msgs/DiagnosticArray` at 1 Hz of wall time, in every lifecycle state.

    Args:
        node: Node that owns the publisher and the timer.
        board: Conditions to publish.
        refresh: Called before each publication, to bring the board up to date.
    """

    def __init__(self, node: Node, board: HealthBoard, refresh: Callable[[], None]) -> None:
        self._refresh = refresh
        self._node = node
        self._board = board
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Publishes all conditions."""
        self._refresh()
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_name()
        message.status = [_status(name, part, state) for part, state in sorted(self._board.snapshot().items())]
        self._publisher.publish(message)


def _status(node: str, part: str, condition: Condition) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=bytes([condition.level]),
        name=f"{node}: {part}",
        hardware_id=node,
        message=condition.message,
        values=[KeyValue(key=key, value=value) for key, value in condition.values.items()],
    )
