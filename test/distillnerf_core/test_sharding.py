"""Shares are disjoint, complete and balanced, and texts of them are read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.sharding import Shard, parse_shard

COUNTS = st.integers(1, 40)


@given(st.lists(st.integers(), max_size=200, unique=True), COUNTS)
def test_shares_are_disjoint_complete_and_balanced(items: list[int], count: int) -> None:
    shares = [Shard(index, count).take(items) for index in range(count)]
    together = [item for share in shares for item in share]
    assert len(together) == len(items) and set(together) == set(items)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    for index, share in enumerate(shares):
        shard = Shard(index, count)
        assert share == [item for number, item in enumerate(items) if shard.holds(number)]
        assert shard.size(len(items)) == len(share)


@given(COUNTS, st.data())
def test_texts_are_read_back(count: int, data: st.DataObject) -> None:
    shard = Shard(data.draw(st.integers(0, count - 1)), count)
    assert parse_shard(str(shard)) == shard


@pytest.mark.parametrize("text", ["", "1", "4/4", "0/0", "-1/2", "1/-2", "a/b", "1/2/3", " 0/1", "0/1x"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected I/N"):
        parse_shard(text)
