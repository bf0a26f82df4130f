"""The relation between the time of a recording and the time on the wall while it is played."""

import time
from collections.abc import Callable

from distillnerf_core.streams.message_fields import NANOSECONDS


class Pacer:
    """Tells when a message of a recording is due; can be paused.

    Args:
        rate: Speed; 2 is twice as fast.
        clock: Returns wall time in nanoseconds, monotonic.
    """

    def __init__(self, rate: float, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._rate = rate
        self._clock = clock
        self._wall_ns = clock()
        self._time_ns = 0
        self._paused = False

    @property
    def paused(self) -> bool:
        """True while the recording's time stands still."""
        return self._paused

    def start(self, time_ns: int) -> None:
        """Sets the recording's time, from which it runs on (or stands, while paused)."""
        self._wall_ns, self._time_ns = self._clock(), time_ns

    def toggle(self) -> None:
        """Stops the recording's time, or lets it run again."""
        self.start(self.now_ns())
        self._paused = not self._paused

    def now_ns(self) -> int:
        """Returns the recording's time."""
        if self._paused:
            return self._time_ns
        return self._time_ns + round((self._clock() - self._wall_ns) * self._rate)

    def wait_s(self, time_ns: int) -> float:
        """Returns the seconds on the wall until a time of the recording, infinite while paused, never negative."""
        if self._paused:
            return float("inf")
        return max(0.0, (time_ns - self.now_ns()) / self._rate / NANOSECONDS)
