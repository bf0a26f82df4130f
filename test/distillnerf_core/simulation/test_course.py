"""Courses against closed forms and plain summation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distillnerf_core.simulation.course import STRAIGHT, Course, lane_change, turn


def summed(course: Course, way_m: float, steps: int = 40_000) -> NDArray[np.float64]:
    """Returns (x, y, heading) by the rectangle rule on the broken line of curvatures."""
    ways = (np.arange(steps) + 0.5) * way_m / steps
    knots = np.array(course.knots)
    curvature = np.interp(ways, knots[:, 0], knots[:, 1])
    heading = (np.cumsum(curvature) - curvature / 2) * way_m / steps
    total = curvature.sum() * way_m / steps
    return np.array((np.cos(heading).mean() * way_m, np.sin(heading).mean() * way_m, total))


@pytest.mark.parametrize("course", [turn(3.0, 8.0, math.pi / 2), turn(0.0, 5.0, -1.0), lane_change(4.0, 20.0, -3.5)])
@pytest.mark.parametrize("way", [1.0, 6.5, 11.0, 30.0])
def test_places_are_the_integral_of_the_curvature(course: Course, way: float) -> None:
    place = course.place(way)
    np.testing.assert_allclose((place.x, place.y, place.heading), summed(course, way), atol=2e-6)


def test_between_its_clothoids_a_turn_is_a_circle() -> None:
    course = turn(2.0, 8.0, math.pi / 2)
    places = [course.place(way) for way in np.linspace(course.knots[1][0], course.knots[2][0], 9)]
    centers = [(place.x - 8.0 * math.sin(place.heading), place.y + 8.0 * math.cos(place.heading)) for place in places]
    np.testing.assert_allclose(centers, [centers[0]] * 9, atol=1e-12)
    assert all(place.curvature == pytest.approx(1 / 8) for place in places)


@given(st.floats(4.5, 20.0), st.floats(0.6, 2.0), st.sampled_from((-1.0, 1.0)), st.floats(0.0, 40.0))
@settings(max_examples=40, deadline=None)
def test_a_turn_has_its_angle_and_is_alike_from_both_ends(radius: float, angle: float, side: float, at: float) -> None:
    course = turn(at, radius, side * angle)
    end, beyond = course.place(course.end_m), course.place(course.end_m + 5.0)
    assert end.heading == pytest.approx(side * angle) and end.curvature == pytest.approx(0.0, abs=1e-12)
    assert beyond.x - end.x == pytest.approx(5.0 * math.cos(angle))
    assert beyond.y - end.y == pytest.approx(5.0 * side * math.sin(angle))
    away = math.hypot(end.x - at, end.y)
    assert math.atan2(end.y, end.x - at) == pytest.approx(side * angle / 2) and away < course.end_m - at


@given(st.floats(12.0, 80.0), st.floats(2.5, 4.0), st.sampled_from((-1.0, 1.0)))
@settings(max_examples=20, deadline=None)
def test_a_change_of_lane_ends_beside_its_beginning(length: float, offset: float, side: float) -> None:
    course = lane_change(7.0, length, side * offset)
    end = course.place(7.0 + length)
    assert end.y == pytest.approx(side * offset, abs=1e-9) and end.heading == pytest.approx(0.0, abs=1e-12)
    middle = course.place(7.0 + length / 2)
    assert middle.y == pytest.approx(side * offset / 2, abs=1e-9)
    assert course.place(6.9).y == 0.0 and course.place(-3.0).x == -3.0


def test_straight_on() -> None:
    place = STRAIGHT.place(-12.5)
    assert (place.x, place.y, place.heading, place.curvature, STRAIGHT.end_m) == (-12.5, 0.0, 0.0, 0.0, 0.0)
