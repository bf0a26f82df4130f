"""Lamps and trees along a crossing street."""

import math

import numpy as np

from distillnerf_core.simulation.builder import Pose, StreetBuilder
from distillnerf_core.simulation.ground import KERB_M
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between
from distillnerf_core.simulation.street_furniture import add_street_lamp
from distillnerf_core.simulation.vegetation import add_tree

_REACH_M = 110.0


def add_crossing_roadside(
    street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, crossing_x: float
) -> None:
    """Adds a row of lamps on one side of a crossing street, and of trees on both.

    Args:
        street: collects the parts.
        rng: source of randomness.
        layout: plan of the street.
        crossing_x: middle of the crossing street.
    """
    start, end = layout.road_half + layout.sidewalk + 3.0, _REACH_M + layout.crossing_extension_m
    for side in (-1.0, 1.0):
        for away in np.arange(start + between(rng, 0.0, 9.0), end, between(rng, 20.0, 30.0)):
            pose = Pose(crossing_x + layout.crossing_half + 0.4, side * float(away), KERB_M, math.pi)
            add_street_lamp(street, rng, pose)
        for edge in (-1.0, 1.0):
            if rng.random() < 0.3:
                continue
            for away in np.arange(start + between(rng, 4.0, 9.0), end, between(rng, 9.0, 18.0)):
                place = crossing_x + edge * (layout.crossing_half + 1.7)
                add_tree(street, rng, Pose(place, side * (float(away) + between(rng, -1.5, 1.5)), KERB_M))
