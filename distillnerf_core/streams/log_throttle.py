"""Keeps messages that strangers can cause a thousand times a second from filling a disk."""

import time

PERIOD_S = 1.0


class LogThrottle:
    """Allows one message a second.

    Attributes:
        suppressed: Messages that were not allowed since the last one that was.
    """

    def __init__(self) -> None:
        self.suppressed = 0
        self._next_s = 0.0

    def allows(self) -> bool:
        """Tells whether a message may be logged now."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            self.suppressed += 1
            return False
        self._next_s = now_s + PERIOD_S
        self.suppressed = 0
        return True
