import math

import pytest

from distillnerf_ros.pacer import Pacer

SECOND = 1_000_000_000


class Wall:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 17 * SECOND

    def __call__(self) -> int:
        return self.ns


@pytest.mark.parametrize("rate", [0.25, 1.0, 3.0])
def test_the_time_of_the_recording_runs_at_the_rate(rate: float) -> None:
    wall = Wall()
    pacer = Pacer(rate, wall)
    pacer.start(100 * SECOND)
    assert pacer.wait_s(106 * SECOND) == pytest.approx(6 / rate)
    wall.ns += 2 * SECOND
    assert pacer.now_ns() == round((100 + 2 * rate) * SECOND)
    assert pacer.wait_s(99 * SECOND) == 0.0


def test_a_pause_stops_the_recording_and_shifts_what_follows() -> None:
    wall = Wall()
    pacer = Pacer(2.0, wall)
    pacer.start(0)
    wall.ns += SECOND
    pacer.toggle()
    wall.ns += 50 * SECOND
    assert pacer.paused
    assert (pacer.now_ns(), pacer.wait_s(3 * SECOND)) == (2 * SECOND, math.inf)
    pacer.toggle()
    assert pacer.wait_s(4 * SECOND) == pytest.approx(1.0)
    wall.ns += SECOND
    assert pacer.now_ns() == 4 * SECOND


def test_a_restart_goes_back() -> None:
    wall = Wall()
    pacer = Pacer(1.0, wall)
    pacer.start(10 * SECOND)
    wall.ns += 5 * SECOND
    pacer.start(10 * SECOND)
    assert pacer.now_ns() == 10 * SECOND
