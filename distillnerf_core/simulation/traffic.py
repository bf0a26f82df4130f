"""Parked and moving road users, and road works."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distillnerf_core.simulation.builder import Pose, StreetBuilder
from distillnerf_core.simulation.fleet import PERSON_M, VEHICLE_WIDTH_M, draw_vehicle
from distillnerf_core.simulation.ground import KERB_M
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between, pick
from distillnerf_core.simulation.people import add_pedestrian, walking_direction
from distillnerf_core.simulation.right_of_way import RightOfWay, has_room
from distillnerf_core.simulation.street_furniture import add_barrier, add_cone
from distillnerf_core.simulation.vehicles import add_car, add_construction_vehicle

REACH_M = 110.0


def add_traffic(
    street: StreetBuilder,
    rng: np.random.Generator,
    layout: StreetLayout,
    ego_lanes: Sequence[int],
    ego_speed_m_s: float,
    seconds: float = 0.0,
    room: RightOfWay | None = None,
) -> None:
    """Adds all road users; those in the vehicle's own lanes move as fast as it does.

    Args:
        street: collects the parts.
        rng: source of randomness.
        layout: plan of the street.
        ego_lanes: lanes of the vehicle, 0 is the innermost.
        ego_speed_m_s: its speed.
        seconds: how long lanes that move otherwise than the vehicle shall be filled around it.
        room: who has the right of way, those who cross the street among them; others are left out. None: nobody has,
            and vehicles wait to cross.
    """
    for direction in (1.0, -1.0):
        for lane in range(layout.lanes):
            own = direction > 0 and lane in ego_lanes
            speed = ego_speed_m_s if own else between(rng, 0.0, 11.0) * float(rng.random() < 0.8)
            drift = (ego_speed_m_s - direction * speed) * seconds
            span = (-REACH_M + min(0.0, drift), REACH_M + max(0.0, drift))
            _fill_lane(street, rng, layout, _Lane(direction, lane, speed, own), span, room)
    works = _add_road_works(street, rng, layout, room) if rng.random() < 0.4 else None
    if layout.parking > 0:
        for side in (-1.0, 1.0):
            _fill_parking(street, rng, layout, side, works if side == layout.side else None, room)
    _add_pedestrians(street, rng, layout, room)
    if layout.crossing_x is not None and room is None:
        _add_waiting_cross_traffic(street, rng, layout, layout.crossing_x)


@dataclass(frozen=True)
class _Lane:
    """Traffic in a lane.

    Attributes:
        direction: 1 along the vehicle's, -1 against it.
        number: From 0, the innermost.
        speed_m_s: Speed of all of it.
        own: Whether the vehicle is in it.
    """

    direction: float
    number: int
    speed_m_s: float
    own: bool


def _fill_lane(
    street: StreetBuilder,
    rng: np.random.Generator,
    layout: StreetLayout,
    lane: _Lane,
    span: tuple[float, float],
    room: RightOfWay | None,
) -> None:
    y = lane.direction * layout.side * layout.lane_y(lane.number)
    yaw = 0.0 if lane.direction > 0 else math.pi
    x = span[0] + between(rng, 0.0, 15.0)
    while x < span[1]:
        maker, length = draw_vehicle(rng, layout.city)
        middle = x + length / 2
        blocked = lane.own and -9.0 - length / 2 < middle < 11.0 + length / 2
        standing_in_crossing = lane.speed_m_s == 0 and layout.near_crossing(middle, length / 2)
        if not blocked and not standing_in_crossing and rng.random() < layout.density:
            pose = Pose(middle, y + between(rng, -0.25, 0.25), 0.0, yaw, lane.speed_m_s)
            if has_room(room, pose, length, VEHICLE_WIDTH_M):
                maker(street, rng, pose)
        x += length + between(rng, 3.0, 9.0) + float(rng.exponential(14.0 * (1.3 - layout.density)))


def _fill_parking(
    street: StreetBuilder,
    rng: np.random.Generator,
    layout: StreetLayout,
    side: float,
    works: tuple[float, float] | None,
    room: RightOfWay | None,
) -> None:
    yaw = 0.0 if side == layout.side else math.pi
    x = -REACH_M
    while x < REACH_M + layout.extension_m:
        maker, length = (add_car, 5.6) if rng.random() < 0.85 else draw_vehicle(rng, layout.city)
        middle = x + length / 2
        in_works = works is not None and works[0] - length / 2 < middle < works[1] + length / 2
        if not in_works and not layout.near_crossing(middle, length / 2 + 3) and rng.random() < layout.density:
            pose = Pose(middle, side * layout.parking_y, 0.0, yaw)
            if has_room(room, pose, length, VEHICLE_WIDTH_M):
                maker(street, rng, pose)
        x += length + between(rng, 0.5, 2.5)


def _add_road_works(
    street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, room: RightOfWay | None
) -> tuple[float, float] | None:
    """Fences off a part of the outer edge of the road; returns its span of x."""
    start, length = between(rng, -22.0, 25.0), between(rng, 10.0, 22.0)
    middle, end = start + length / 2, start + length
    if layout.near_crossing(middle, length / 2 + 3.0):
        return None
    inside = layout.parking > 0
    outer = layout.road_half - 0.35 if inside else layout.road_half + 1.0
    line = layout.road_half - layout.parking + 0.3 if inside else layout.road_half + 0.3
    if not has_room(room, Pose(middle - 5.0, layout.side * (line + outer) / 2), length + 12.0, abs(outer - line) + 0.8):
        return None
    kind, height = int(rng.integers(3)), 0.0 if inside else KERB_M
    for x in np.arange(start, end, 2.05):
        add_barrier(street, rng, Pose(float(x), layout.side * line, height), kind)
    for x in np.arange(start - 9.0, start - 0.5, 2.2):
        drift = (float(x) - start + 9.0) / 9.0
        add_cone(street, rng, Pose(float(x), layout.side * (outer + drift * (line - outer)), height))
    if inside and rng.random() < 0.7:
        add_construction_vehicle(street, rng, Pose(middle, layout.side * (layout.parking_y + 0.3), 0.0, 0.0))
    return start - 10.0, end + 1.0


def _add_pedestrians(
    street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, room: RightOfWay | None
) -> None:
    for _ in range(layout.share_of(int(rng.integers(4, 10 + int(26 * layout.density))), -45.0, 60.0)):
        x, side = between(rng, -45.0, 60.0 + layout.extension_m), pick(rng, (-1.0, 1.0))
        if layout.near_crossing(x, 0.0):
            continue
        y = side * (layout.road_half + between(rng, 0.9, max(1.0, layout.sidewalk - 0.3)))
        speed = between(rng, 0.7, 1.7) if rng.random() < 0.75 else 0.0
        yaw = walking_direction(rng, 0.0) if speed > 0 else between(rng, 0.0, 6.3)
        pose = Pose(x, y, KERB_M, yaw, speed)
        if has_room(room, pose, PERSON_M, PERSON_M):
            add_pedestrian(street, rng, pose)
    if layout.crossing_x is not None:
        _add_crossing_pedestrians(street, rng, layout, layout.crossing_x, room)


def _add_crossing_pedestrians(
    street: StreetBuilder,
    rng: np.random.Generator,
    layout: StreetLayout,
    crossing_x: float,
    room: RightOfWay | None,
) -> None:
    """Adds people on the zebra crossings, beyond the middle of the road and walking away from the vehicle's lanes."""
    for _ in range(int(rng.integers(0, 5))):
        x = crossing_x + pick(rng, (-1.0, 1.0)) * (layout.crossing_half + between(rng, 0.8, 2.6))
        speed, away = between(rng, 0.6, 1.5), between(rng, 0.5, layout.road_half)
        pose = Pose(x, -layout.side * away, 0.0, -layout.side * math.pi / 2, speed)
        if has_room(room, pose, PERSON_M, PERSON_M):
            add_pedestrian(street, rng, pose)


def _add_waiting_cross_traffic(
    street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, crossing_x: float
) -> None:
    for side in (-1.0, 1.0):
        lane = side * layout.side * layout.crossing_half / 2
        y = layout.road_half + 4.5
        while y < 60.0 and rng.random() < 0.35 + 0.5 * layout.density:
            maker, length = draw_vehicle(rng, layout.city)
            maker(street, rng, Pose(crossing_x - lane, side * (y + length / 2), 0.0, -side * math.pi / 2))
            y += length + between(rng, 1.0, 8.0)
