"""What the vehicle does besides driving straight on, and the street that it needs for it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.simulation.course import lane_change, turn
from distillnerf_core.simulation.ego_path import EgoPath
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between, pick
from distillnerf_core.simulation.right_of_way import EGO_FRONT_M, EGO_REAR_M, EGO_WIDTH_M
from distillnerf_core.simulation.style import Manoeuvre

_GLANCE_S = 6.0
"""Streets that are built for a glance have their manoeuvre in as long."""
_COMFORT_M_S2 = 2.5
"""Greatest acceleration across the vehicle in a turn."""
_NEAR_RADII_M = tuple(np.arange(12.0, 4.4, -0.5).tolist())
_FAR_RADII_M = tuple(np.arange(14.0, 5.9, -0.5).tolist())
_CROSSING_HALF_M = 5.5
"""A street that the vehicle turns into has at least this half width."""
_MEDIAN_NOSE_M = 4.0
"""Distance of a raised median from the crossing street."""


@dataclass(frozen=True)
class DrivePlan:
    """How the vehicle drives.

    Attributes:
        layout: The street as the drive needs it.
        lanes: Lanes in its direction in which traffic is as fast as it is.
        path: Its motion.
    """

    layout: StreetLayout
    lanes: tuple[int, ...]
    path: EgoPath


def plan_drive(rng: np.random.Generator, plan: DrivePlan, manoeuvre: Manoeuvre, seconds: float) -> DrivePlan:
    """Draws a manoeuvre; a vehicle that stands keeps standing.

    Args:
        rng: source of randomness.
        plan: drive straight on.
        manoeuvre: what to draw from.
        seconds: length of the drive.
    """
    if plan.path.speed_m_s == 0 or manoeuvre == "straight":
        return plan
    if manoeuvre == "any":
        manoeuvre = pick(rng, ("straight", "lane_change", "turn"))
        return plan_drive(rng, plan, manoeuvre, seconds)
    start_s = between(rng, 0.06, 0.4) * max(seconds, _GLANCE_S)
    plan = replace(plan, path=replace(plan.path, sway_m=0.0))
    return _change_lanes(rng, plan, start_s) if manoeuvre == "lane_change" else _turn(rng, plan, start_s, seconds)


def _change_lanes(rng: np.random.Generator, plan: DrivePlan, start_s: float) -> DrivePlan:
    layout, path, lane = plan.layout, plan.path, plan.lanes[0]
    if layout.lanes == 1:
        layout = replace(layout, lanes=2)
    target = pick(rng, [other for other in (lane - 1, lane + 1) if 0 <= other < layout.lanes])
    offset = layout.side * (layout.lane_y(target) - layout.lane_y(lane))
    length = max(18.0, between(rng, 3.5, 5.0) * path.speed_m_s)
    course = lane_change(start_s * path.speed_m_s, length, offset)
    return DrivePlan(layout, (lane, target), replace(path, course=course))


def _turn(rng: np.random.Generator, plan: DrivePlan, start_s: float, seconds: float) -> DrivePlan:
    """Turns to the own side of the street, from its outermost lane, or across it from the innermost one."""
    aside = plan.path.y - plan.layout.side * plan.layout.lane_y(plan.lanes[0])
    half = max(plan.layout.crossing_half, _CROSSING_HALF_M)
    layout = replace(plan.layout, crossing_half=half, busy_crossing=True)
    first = pick(rng, (True, False))
    for drive in chain(*(_turns(layout, plan.path, near, start_s, aside) for near in (first, not first))):
        if _stays_on_asphalt(drive):
            way = drive.path.speed_m_s * max(0.0, seconds - start_s)
            return replace(drive, layout=replace(drive.layout, crossing_extension_m=way))
    return plan


def _turns(layout: StreetLayout, path: EgoPath, near: bool, start_s: float, aside: float) -> Iterator[DrivePlan]:
    """Yields turns to one side, wide ones first."""
    lane = layout.lanes - 1 if near else 0
    angle = math.copysign(math.pi / 2, layout.side if near else -layout.side)
    for radius in _NEAR_RADII_M if near else _FAR_RADII_M:
        speed = min(path.speed_m_s, math.sqrt(_COMFORT_M_S2 * radius))
        course = turn(start_s * speed, radius, angle)
        into = course.place(course.end_m).x
        crossing_x = into + (0.5 if near else -0.5) * layout.crossing_half
        turned = replace(path, y=layout.side * layout.lane_y(lane) + aside, speed_m_s=speed, course=course)
        yield DrivePlan(replace(layout, crossing_x=crossing_x), (lane,), turned)


def _stays_on_asphalt(plan: DrivePlan) -> bool:
    """Tells whether no part of the vehicle passes over a kerb in its turn."""
    layout, path = plan.layout, plan.path
    assert layout.crossing_x is not None
    times = np.arange(path.course.knots[0][0], path.course.end_m, 0.25) / path.speed_m_s
    points = np.concatenate([_outline(path, time) for time in times.tolist()])
    from_crossing, from_axis = np.abs(points[:, 0] - layout.crossing_x), np.abs(points[:, 1])
    beside_median = (from_axis > layout.median / 2) | (from_crossing < layout.crossing_half + _MEDIAN_NOSE_M)
    on_street = (from_axis < layout.road_half) & beside_median
    return bool((on_street | (from_crossing < layout.crossing_half)).all())


def _outline(path: EgoPath, seconds: float) -> NDArray[np.float64]:
    """Returns points [n 2] on the outline of the vehicle, world frame."""
    along = np.linspace(-EGO_REAR_M, EGO_FRONT_M, 12)
    corners = np.concatenate([np.stack((along, np.full(12, side * EGO_WIDTH_M / 2)), axis=1) for side in (-1.0, 1.0)])
    pose = path.pose(seconds).numpy()
    return np.asarray(corners @ pose[:2, :2].T + pose[:2, 3])
