"""Vehicles on the crossing street of a street."""

import math

import numpy as np

from distillnerf_core.simulation.builder import Pose, StreetBuilder
from distillnerf_core.simulation.fleet import VEHICLE_WIDTH_M, draw_vehicle
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between
from distillnerf_core.simulation.right_of_way import RightOfWay

REACH_M = 110.0
_STOP_LINE_M = 4.5
"""Distance of the first vehicle that waits from the street that it waits at."""


def add_waiting_vehicles(
    street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, crossing_x: float, room: RightOfWay
) -> None:
    """Adds vehicles that wait on both sides of the street until everybody has passed, each on its own side.

    Args:
        street: collects the parts.
        rng: source of randomness.
        layout: plan of the street.
        crossing_x: middle of the crossing street.
        room: who has the right of way.
    """
    for side in (-1.0, 1.0):
        away = layout.road_half + _STOP_LINE_M
        while away < 60.0 and rng.random() < 0.35 + 0.5 * layout.density:
            maker, length = draw_vehicle(rng)
            pose = approach(layout, crossing_x, side, away + length / 2)
            if room.is_free(pose, length, VEHICLE_WIDTH_M):
                maker(street, rng, pose)
            away += length + between(rng, 1.0, 8.0)


def approach(layout: StreetLayout, crossing_x: float, side: float, away_m: float, speed_m_s: float = 0.0) -> Pose:
    """Returns a pose on the crossing street that heads for the street, on the side that traffic keeps to.

    Args:
        layout: plan of the street.
        crossing_x: middle of the crossing street.
        side: -1 or 1, the sign of y from where it comes.
        away_m: distance from the street's axis.
        speed_m_s: its speed.
    """
    lane = crossing_x + side * layout.side * layout.crossing_half / 2
    return Pose(lane, side * away_m, 0.0, -side * math.pi / 2, speed_m_s)
