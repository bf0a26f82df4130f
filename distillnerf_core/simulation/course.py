"""Ways on the ground made of straight lines, arcs and clothoids."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class Place:
    """A point of a course.

    Attributes:
        x: Metres along the course's first direction.
        y: Metres to the left of it.
        heading: Direction of the course, radians to the left of its first one.
        curvature: Change of the heading, radians per metre, positive to the left.
    """

    x: float
    y: float
    heading: float
    curvature: float


@dataclass(frozen=True)
class Course:
    """A way through the origin, along +x at first, whose curvature is a broken line over the distance travelled.

    The heading is thus exact, and places are integrated by Gauss's formula, for pieces of up to a right angle to the
    last digits of a double.

    Attributes:
        knots: Distance from the origin in metres and curvature in 1/m, where the line bends; the first and the last
            curvature are 0. None: straight on.
    """

    knots: tuple[tuple[float, float], ...] = ()

    @property
    def end_m(self) -> float:
        """Distance from which on the course is straight."""
        return self.knots[-1][0] if self.knots else 0.0

    def place(self, way_m: float) -> Place:
        """Returns where the course is after a distance, which may be negative."""
        if not self.knots or way_m <= self.knots[0][0]:
            return Place(way_m, 0.0, 0.0, 0.0)
        here = Place(self.knots[0][0], 0.0, 0.0, 0.0)
        for (start, first), (end, last) in pairwise(self.knots):
            if way_m <= start:
                break
            here = _advance(here, min(way_m, end) - start, first, (last - first) / (end - start))
        return _advance(here, max(0.0, way_m - self.end_m), here.curvature, 0.0)


STRAIGHT = Course()


def lane_change(start_m: float, length_m: float, offset_m: float) -> Course:
    """Returns an S of four clothoids that ends `offset_m` farther to the left, parallel to its beginning.

    Args:
        start_m: where it begins.
        length_m: distance travelled in it, several times the offset.
        offset_m: how far to the left, negative to the right.
    """

    def course(curvature: float) -> Course:
        bends = ((0.0, 0.0), (0.25, curvature), (0.75, -curvature), (1.0, 0.0))
        return Course(tuple((start_m + part * length_m, value) for part, value in bends))

    sign = math.copysign(1.0, offset_m)
    low, high = 0.0, 16.0 * abs(offset_m) / length_m**2
    for _ in range(60):
        middle = (low + high) / 2
        reached = course(middle).place(start_m + length_m).y
        low, high = (middle, high) if reached < abs(offset_m) else (low, middle)
    return course(sign * low)


def turn(start_m: float, radius_m: float, angle: float) -> Course:
    """Returns an arc with a clothoid before and after it, each half as long as the radius.

    Args:
        start_m: where it begins.
        radius_m: least radius.
        angle: change of the heading, radians, positive to the left, more than half a radian.
    """
    ramp, curvature = 0.5 * radius_m, math.copysign(1.0 / radius_m, angle)
    whole = abs(angle) * radius_m + ramp
    bends = ((0.0, 0.0), (ramp, curvature), (whole - ramp, curvature), (whole, 0.0))
    return Course(tuple((start_m + way, value) for way, value in bends))


def _advance(here: Place, length_m: float, curvature: float, change: float) -> Place:
    """Follows a clothoid whose curvature begins with a value and grows by `change` each metre."""
    ways = 0.5 * length_m * (_NODES + 1.0)
    headings = here.heading + curvature * ways + 0.5 * change * ways**2
    weights = 0.5 * length_m * _WEIGHTS
    return Place(
        x=here.x + float(weights @ np.cos(headings)),
        y=here.y + float(weights @ np.sin(headings)),
        heading=here.heading + curvature * length_m + 0.5 * change * length_m**2,
        curvature=curvature + change * length_m,
    )
