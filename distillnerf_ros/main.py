"""Entry point of the node's process."""

import logging
import sys
from collections.abc import Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.impl.rcutils_logger import RcutilsLogger

from distillnerf_core.errors import ConfigurationError
from distillnerf_ros.node import DistillNerfNode

SWITCH_INTERVAL_S = 0.0005
"""How long a thread of Python may hold up the others. Python's own 5 ms add up: decoding and publishing take the
interpreter some hundred times a frame, while the executor takes messages (`python -m benchmarks.ros`)."""


class RosLogHandler(logging.Handler):
    """Hands the library's log records to the node's logger.

    Args:
        target: The node's logger.
    """

    def __init__(self, target: RcutilsLogger) -> None:
        super().__init__(logging.WARNING)
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        """Logs a record with the severity it has."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._target.error(text)
        else:
            self._target.warning(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; returns the exit status, 2 where a parameter is refused."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    rclpy.init(args=list(arguments) if arguments is not None else None)
    try:
        node = DistillNerfNode()
    except ConfigurationError as err:
        rclpy.logging.get_logger("distillnerf").fatal(str(err))
        rclpy.try_shutdown()
        return 2
    logging.getLogger().addHandler(RosLogHandler(node.get_logger()))
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except rclpy_implementation.RCLError:
        # An interrupt can end ROS between two looks of the executor.
        if rclpy.ok():
            raise
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
