import itertools

from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.data.key_sweeps import evenly_spaced


def test_two_a_second_of_any_rate() -> None:
    assert evenly_spaced([round(step * 1e9 / 12) for step in range(19)]) == (0, 6, 12, 18)
    assert evenly_spaced([step * 100_000_000 for step in range(12)]) == (0, 5, 10)
    assert evenly_spaced([step * 2_000_000_000 for step in range(3)]) == (0, 1, 2)
    assert evenly_spaced([]) == ()


@given(st.lists(st.integers(0, 10**11), max_size=60), st.floats(0.1, 50))
def test_none_is_too_near_and_none_is_missed(stamps: list[int], rate_hz: float) -> None:
    stamps = sorted(stamps)
    chosen = evenly_spaced(stamps, rate_hz)
    period = 1e9 / rate_hz
    gaps = [stamps[after] - stamps[before] for before, after in itertools.pairwise(chosen)]
    assert all(gap >= 0.95 * period - 1 for gap in gaps)
    bounds = [*chosen, len(stamps)]
    for begin, end in itertools.pairwise(bounds):
        assert all(stamp - stamps[begin] < 0.95 * period + 1 for stamp in stamps[begin:end])
