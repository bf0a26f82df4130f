"""Recognises the cameras by looking at topic names and types."""

import logging
import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from distillnerf_core.streams.layouts import IMAGE_TYPES, PRESETS, Layout, detect_layout
from distillnerf_ros.health import HealthBoard
from distillnerf_ros.subscriptions import topic_types

logger = logging.getLogger(__name__)

PERIOD_S = 0.25
PATIENCE_S = 10.0


class LayoutSearch:
    """Looks until a preset fits: at once where all its cameras are there, else after ten seconds.

    Args:
        node: Node that looks.
        board: Told what is missing.
        found: Called once with the layout; must not raise.
    """

    def __init__(self, node: Node, board: HealthBoard, found: Callable[[Layout], None]) -> None:
        self._node = node
        self._board = board
        self._found = found
        self._patience_ends = time.monotonic() + PATIENCE_S
        self._timer = node.create_timer(PERIOD_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def stop(self) -> None:
        """Ends the search."""
        self._node.destroy_timer(self._timer)

    def _look(self) -> None:
        try:
            self._decide()
        except Exception as err:  # the node outlives a failed look, and looks again
            if not self._node.context.ok():
                return
            logger.exception("looking for the cameras failed")
            self._board.error("input", f"unexpected {type(err).__name__}: {err}; the log has the trace")

    def _decide(self) -> None:
        types = topic_types(self._node)
        layout = detect_layout(types)
        patient = time.monotonic() < self._patience_ends
        if layout is not None and (not patient or all(item.image_topic in types for item in layout.cameras)):
            self.stop()
            self._found(layout)
        elif not patient:
            images = sorted(topic for topic, kind in types.items() if kind in IMAGE_TYPES)
            self._board.error(
                "input",
                f"no camera layout recognised among the image topics {images or 'none'}; set input.preset to one of "
                f"{', '.join(PRESETS)} or to the path of a YAML file that names your topics",
            )
