"""Shares of a list of work, for processes that know nothing of each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from distillnerf_core.errors import ConfigurationError

Item = TypeVar("Item")
_TEXT = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True)
class Shard:
    """One of several shares: together they are everything, no two overlap, and their sizes differ by at most one.

    Attributes:
        index: Which one, from 0.
        count: How many there are.
    """

    index: int
    count: int

    def holds(self, number: int) -> bool:
        """Tells whether an item belongs to the share, by its place in the list, from 0."""
        return number % self.count == self.index

    def take(self, items: Sequence[Item]) -> list[Item]:
        """Returns the items of the share, in their order."""
        return list(items[self.index :: self.count])

    def size(self, total: int) -> int:
        """Returns how many of `total` items belong to the share."""
        return len(range(self.index, total, self.count))

    def __str__(self) -> str:
        """Return the text that :func:`parse_shard` reads."""
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Reads I/N, with I from 0 to N - 1.

    Raises:
        ConfigurationError: If it is anything else.
    """
    match = _TEXT.fullmatch(text)
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if shard.index >= shard.count:
        raise ConfigurationError(f"shard {text!r}: expected I/N with I from 0 to N - 1, such as 0/4 to 3/4")
    return shard
