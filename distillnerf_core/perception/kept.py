"""Questions that are asked again of every new frame."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from distillnerf_core.language.text_space import EncodedQuery
from distillnerf_core.perception.query import TextQuery


@dataclass(frozen=True)
class KeptQuery:
    """A question with its features.

    Attributes:
        query: The question; its box is in `frame_id`.
        encoded: The same as features, so that no text is embedded again.
        frame_id: Frame of the box, empty for the ego frame.
        max_points: Most points of an answer; 0 for no limit.
    """

    query: TextQuery
    encoded: EncodedQuery
    frame_id: str = ""
    max_points: int = 0


class KeptQueries:
    """The questions that are kept, by number; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: dict[int, KeptQuery] = {}
        self._last = 0

    def __len__(self) -> int:
        """Returns how many are kept."""
        with self._lock:
            return len(self._queries)

    def next_number(self) -> int:
        """Returns a number that no question had before."""
        with self._lock:
            self._last = self._last % 0xFFFFFFFF + 1
            return self._last

    def keep(self, number: int, query: KeptQuery, most: int) -> bool:
        """Keeps a question, unless `most` are kept already; returns whether it did."""
        with self._lock:
            if len(self._queries) >= most:
                return False
            self._queries[number] = query
            return True

    def snapshot(self) -> Mapping[int, KeptQuery]:
        """Returns all that are kept now."""
        with self._lock:
            return dict(self._queries)

    def clear(self, numbers: Collection[int] = ()) -> list[int]:
        """Forgets questions; returns their numbers.

        Args:
            numbers: Which ones; empty: all. Numbers of none are left out.
        """
        with self._lock:
            ended = [number for number in self._queries if not numbers or number in numbers]
            for number in ended:
                del self._queries[number]
            return ended
