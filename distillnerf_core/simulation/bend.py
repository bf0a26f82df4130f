"""A bend of a street: a straight plan laid along a line, an arc and another line."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.course import Place

_PIECE_M = 3.0
"""Length along the street of the straight pieces that flat ground in a bend is made of."""
_STILL_M = 0.5
"""What moves less than this along the street, as people do who cross it, moves along a straight line in a bend."""


@dataclass(frozen=True)
class Bend:
    """An arc in the middle line of a street, between two straight parts.

    Plans of streets are straight: x along the street, y to its left. Laid along the bend, x is the way along the middle
    line and y the distance to the left of it. The first straight part stays where it is.

    Attributes:
        start_m: x at which the arc begins.
        radius_m: Radius of the middle line.
        angle: Change of direction, radians, positive to the left, at most a right angle.
    """

    start_m: float
    radius_m: float
    angle: float

    @property
    def end_m(self) -> float:
        """The x at which the arc ends."""
        return self.start_m + abs(self.angle) * self.radius_m

    @property
    def side(self) -> float:
        """1 to the left, -1 to the right."""
        return math.copysign(1.0, self.angle)

    def place(self, x: float, y: float) -> Place:
        """Returns where a point of the plan is, with the direction and curvature of the street there."""
        way = min(max(x - self.start_m, 0.0), self.end_m - self.start_m)
        turned = way / self.radius_m
        heading, straight = self.side * turned, x - way
        cos, sin = math.cos(heading), math.sin(heading)
        before, after = min(straight, self.start_m), max(straight - self.start_m, 0.0)
        return Place(
            x=before + self.radius_m * math.sin(turned) + after * cos - y * sin,
            y=self.side * self.radius_m * (1.0 - math.cos(turned)) + after * sin + y * cos,
            heading=heading,
            curvature=self.side / self.radius_m if self.start_m < x < self.end_m else 0.0,
        )

    def straighten(
        self, x: Float[Tensor, " points"], y: Float[Tensor, " points"]
    ) -> tuple[Float[Tensor, " points"], Float[Tensor, " points"]]:
        """Returns x and y on the plan of points in the world; beyond the arc's centre, on a straight part."""
        whole, radius = abs(self.angle), self.radius_m
        ahead, left = x - self.start_m, self.side * y
        turned = torch.atan2(ahead, radius - left)
        cos, sin = math.cos(whole), math.sin(whole)
        from_end, aside = ahead - radius * sin, left - radius * (1.0 - cos)
        along = torch.where(turned < whole, radius * turned, radius * whole + from_end * cos + aside * sin)
        across = torch.where(turned < whole, radius - torch.hypot(ahead, radius - left), aside * cos - from_end * sin)
        first = turned < 0
        return torch.where(first, x, self.start_m + along), torch.where(first, y, self.side * across)

    def pieces(self, low: float, high: float) -> Iterator[tuple[float, float]]:
        """Divides a span of x into the straight parts and short pieces of the arc."""
        cuts = [low, high, self.start_m, self.end_m]
        cuts += np.linspace(self.start_m, self.end_m, math.ceil((self.end_m - self.start_m) / _PIECE_M) + 1).tolist()
        inside = sorted({min(max(cut, low), high) for cut in cuts})
        yield from pairwise(inside)

    def bends(self, low: float, high: float) -> bool:
        """Tells whether a span of x has a part in the arc."""
        return low < self.end_m and high > self.start_m

    def bends_way(self, x: float, speed_m_s: float, moving_s: tuple[float, float], seconds: float) -> bool:
        """Tells whether something moves along the arc, which no straight line does.

        Args:
            x: where it is at time zero.
            speed_m_s: how fast x grows.
            moving_s: first and last time at which it moves.
            seconds: length of the drive; what happens a second before and after counts, too.
        """
        first, last = max(moving_s[0], -1.0), min(moving_s[1], seconds + 1.0)
        ends = sorted((x + speed_m_s * first, x + speed_m_s * last))
        return ends[1] - ends[0] > _STILL_M and self.bends(*ends)


def sample_bend(rng: np.random.Generator) -> Bend:
    """Draws a bend near the vehicle, which it can pass at 15 m/s."""
    radius = float(rng.uniform(90.0, 220.0))
    angle = min(float(rng.uniform(0.35, 1.05)), 150.0 / radius)
    return Bend(float(rng.uniform(-25.0, 40.0)), radius, angle if rng.random() < 0.5 else -angle)
