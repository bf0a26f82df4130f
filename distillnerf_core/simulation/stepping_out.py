"""People who step onto the road from behind parked vehicles."""

import math
from dataclasses import dataclass

import numpy as np

from distillnerf_core.simulation.builder import Pose, StreetBuilder
from distillnerf_core.simulation.ego_path import EgoPath
from distillnerf_core.simulation.fleet import PERSON_M, VEHICLE_WIDTH_M
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between, pick
from distillnerf_core.simulation.people import add_pedestrian
from distillnerf_core.simulation.right_of_way import RightOfWay
from distillnerf_core.simulation.vehicles import add_bus, add_truck, add_van

_TRIES = 20
_COVERS = ((add_van, 6.0), (add_van, 6.0), (add_truck, 9.6), (add_bus, 12.6))
"""What hides people, and the length that it needs."""
_GAP_M = 0.75
"""Distance of a person from the vehicle that hides it."""
_KERB_M = 0.45
"""Distance from the kerb at which people wait, on the asphalt."""
_OUTSIDE_M = 0.15
"""How far the middle of a person who only looks is outside the parking lane."""


@dataclass(frozen=True)
class _Step:
    """A person who waits at the kerb, then walks across the street or to its lanes, and stands there."""

    x: float
    side: float
    start_s: float
    speed_m_s: float

    def walk(self, layout: StreetLayout, across: bool) -> Pose:
        """Returns the motion, to the other kerb or to the edge of the next lane."""
        start = layout.road_half - _KERB_M
        end = -start if across else layout.road_half - layout.parking - _OUTSIDE_M
        moving_s = (self.start_s, self.start_s + (start - end) / self.speed_m_s)
        return Pose(self.x, self.side * start, 0.0, -self.side * math.pi / 2, self.speed_m_s, moving_s)

    def cover(self, layout: StreetLayout, length_m: float) -> Pose:
        """Returns the place of the vehicle that hides the person from those who come from -x."""
        yaw = 0.0 if self.side == layout.side else math.pi
        return Pose(self.x - _GAP_M - length_m / 2, self.side * layout.parking_y, 0.0, yaw)


def add_people_stepping_out(
    street: StreetBuilder,
    rng: np.random.Generator,
    layout: StreetLayout,
    path: EgoPath,
    room: RightOfWay,
    count: int,
) -> None:
    """Adds people who are hidden from the vehicle, step out before it, and cross the street or stand at its lanes.

    Args:
        street: collects the parts.
        rng: source of randomness.
        layout: plan of the street, with a parking lane.
        path: motion of the vehicle.
        room: who has the right of way; people and what hides them get it, too.
        count: how many people; fewer if there is no place for them.
    """
    for _ in range(count):
        for _ in range(_TRIES):
            step = _draw(rng, layout, path, float(room.times_s[-1]))
            if step is not None and _add(street, rng, layout, room, step):
                break


def _draw(rng: np.random.Generator, layout: StreetLayout, path: EgoPath, last_s: float) -> _Step | None:
    """Draws who steps out where and when, some way before the vehicle; None where there is no parking lane."""
    speed = between(rng, 1.0, 2.0)
    hidden_s = (layout.parking - _KERB_M) / speed
    seen_s = hidden_s + between(rng, 0.3, max(1.0, last_s - 2.0 - hidden_s))
    pose = path.pose(seen_s)
    x = float(pose[0, 3]) + between(rng, 9.0, 22.0) + 1.5 * path.speed_m_s
    side = layout.side if rng.random() < 0.7 else -layout.side
    if float(pose[0, 0]) < 0.98 or layout.near_crossing(x, 14.0) or x > 110.0 + layout.extension_m:
        return None
    return _Step(x, side, seen_s - hidden_s, speed)


def _add(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, room: RightOfWay, step: _Step) -> bool:
    """Adds a person and what hides it, if both have room."""
    maker, length = pick(rng, _COVERS)
    cover = step.cover(layout, length)
    if not room.is_free(cover, length, VEHICLE_WIDTH_M):
        return False
    for across in (True, False) if layout.median == 0 else (False,):
        walk = step.walk(layout, across)
        if room.is_free(walk, PERSON_M, PERSON_M):
            room.reserve(cover, length, VEHICLE_WIDTH_M)
            room.reserve(walk, PERSON_M, PERSON_M)
            maker(street, rng, cover)
            add_pedestrian(street, rng, walk)
            return True
    return False
