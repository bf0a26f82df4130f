"""Vehicles on the crossing street of a street."""

import math

import numpy as np

from distillnerf_core.simulation.builder import Pose, StreetBuilder
from distillnerf_core.simulation.fleet import VEHICLE_WIDTH_M, draw_vehicle
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between
from distillnerf_core.simulation.right_of_way import RightOfWay

_REACH_M = 110.0
_STOP_LINE_M = 4.5
"""Distance of the first vehicle that waits from the street that it waits at."""
_CYCLE_S, _GREEN_S = 16.0, 7.0
"""Vehicles come in groups, as signals let them through."""


def add_cross_traffic(
    street: StreetBuilder,
    rng: np.random.Generator,
    layout: StreetLayout,
    crossing_x: float,
    room: RightOfWay,
    share: float,
) -> None:
    """Adds vehicles that drive across the street in groups; others that have no right of way yet keep clear of them.

    They come from behind the corners, and each direction keeps to its own side and its own speed.

    Args:
        street: collects the parts.
        rng: source of randomness.
        layout: plan of the street.
        crossing_x: middle of the crossing street.
        room: who has the right of way; they get it, too.
        share: how many of those who might come there are, 0 to 1.
    """
    last_s = float(room.times_s[-1])
    green_s = between(rng, 0.0, max(1.0, last_s - _GREEN_S))
    for side in (-1.0, 1.0):
        speed = between(rng, 6.0, 11.0)
        away = -_REACH_M + between(rng, 0.0, 10.0)
        while away < _REACH_M + speed * last_s:
            maker, length = draw_vehicle(rng, layout.city)
            pose = approach(layout, crossing_x, side, away + length / 2, speed)
            passes = (away / speed - green_s) % _CYCLE_S < _GREEN_S and rng.random() < share
            if passes and room.is_free(pose, length, VEHICLE_WIDTH_M):
                room.reserve(pose, length, VEHICLE_WIDTH_M)
                maker(street, rng, pose)
            away += length + between(rng, 4.0, 14.0)


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
            maker, length = draw_vehicle(rng, layout.city)
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
