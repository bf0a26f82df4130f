"""What the node knows about its own health, by name, from all threads; and which errors to log again."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

LOG_PERIOD_S = 10.0
MAX_REMEMBERED = 1000
FIGURES = re.compile(r"[\d.]+")
"""Messages that differ in figures alone count as repeated."""
NOTHING: Mapping[str, object] = MappingProxyType({})
HOLD_S = 3.0
"""A problem stays visible at least this long: diagnostics are published once a second."""


class Level(IntEnum):
    """Severity, as in `diagnostic_msgs/DiagnosticStatus`."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


SEVERITY = {Level.OK: 0, Level.STALE: 0, Level.WARN: 1, Level.ERROR: 2}


@dataclass(frozen=True)
class Condition:
    """State of one part of the node.

    Attributes:
        level: Severity.
        message: One sentence: what, where, what to do.
        values: Figures for a person.
    """

    level: Level
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


class HealthBoard:
    """The conditions of all parts of the node.

    Args:
        log: Called with (level, text) when a problem is new or was last logged `LOG_PERIOD_S` ago.
        clock: Seconds, monotonic.
    """

    def __init__(self, log: Callable[[Level, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._conditions: dict[str, Condition] = {}
        self._waiting: dict[str, Condition] = {}
        self._set_at: dict[str, float] = {}
        self._logged_at: dict[tuple[str, str], float] = {}

    def ok(self, part: str, message: str = "fine", values: Mapping[str, object] = NOTHING) -> None:
        """Says that a part works; ends its problem."""
        self._set(part, Level.OK, message, values)

    def warn(self, part: str, message: str, values: Mapping[str, object] = NOTHING) -> None:
        """Says that a part works with a restriction."""
        self._set(part, Level.WARN, message, values)

    def stale(self, part: str, message: str, values: Mapping[str, object] = NOTHING) -> None:
        """Says that nothing new is known of a part, for a reason that another part tells."""
        self._set(part, Level.STALE, message, values)

    def error(self, part: str, message: str, values: Mapping[str, object] = NOTHING) -> None:
        """Says that a part does not work."""
        self._set(part, Level.ERROR, message, values)

    def retire(self, parts: Iterable[str], reason: str) -> None:
        """Says of parts that nothing will be said of them; a name that ends with a space stands for all that follow.

        Args:
            parts: Parts, such as "sync", or "camera " for every camera.
            reason: Why.
        """
        with self._lock:
            for name in self._conditions:
                if any(name == part or (part.endswith(" ") and name.startswith(part)) for part in parts):
                    self._conditions[name] = Condition(Level.STALE, reason)
                    self._waiting.pop(name, None)

    def drop_retired(self) -> None:
        """Forgets parts that nothing is known of."""
        with self._lock:
            stale = [name for name, condition in self._conditions.items() if condition.level is Level.STALE]
            for name in stale:
                del self._conditions[name]

    def level(self, part: str) -> Level:
        """Returns the severity of a part; STALE where nothing was said yet."""
        with self._lock:
            self._take_waiting()
            condition = self._conditions.get(part)
        return Level.STALE if condition is None else condition.level

    def snapshot(self) -> dict[str, Condition]:
        """Returns all conditions by part."""
        with self._lock:
            self._take_waiting()
            return dict(self._conditions)

    def _set(self, part: str, level: Level, message: str, values: Mapping[str, object]) -> None:
        condition = Condition(level, message, {key: _text(value) for key, value in values.items()})
        with self._lock:
            if self._is_held(part, level):
                self._waiting[part] = condition
                return
            self._waiting.pop(part, None)
            self._conditions[part] = condition
            self._set_at[part] = self._clock()
            speak = level in (Level.WARN, Level.ERROR) and self._due(part, message)
        if speak:
            self._log(level, f"{part}: {message}")

    def _is_held(self, part: str, level: Level) -> bool:
        """Tells whether a young problem is not to be replaced by something less severe."""
        current = self._conditions.get(part)
        if current is None or SEVERITY[current.level] <= SEVERITY[level]:
            return False
        return self._clock() - self._set_at[part] < HOLD_S

    def _take_waiting(self) -> None:
        """Lets what was said while a problem was held count, now that the time is over."""
        over = [part for part in self._waiting if self._clock() - self._set_at[part] >= HOLD_S]
        for part in over:
            self._conditions[part] = self._waiting.pop(part)

    def _due(self, part: str, message: str) -> bool:
        kind = (part, FIGURES.sub("", message))
        now = self._clock()
        if now - self._logged_at.get(kind, -LOG_PERIOD_S) < LOG_PERIOD_S:
            return False
        if len(self._logged_at) > MAX_REMEMBERED:
            self._logged_at.clear()
        self._logged_at[kind] = now
        return True


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
