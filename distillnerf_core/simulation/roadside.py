"""Buildings, trees and furniture along both sides of a street."""

import math

import numpy as np

from distillnerf_core.simulation import street_furniture as furniture
from distillnerf_core.simulation.builder import Pose, StreetBuilder
from distillnerf_core.simulation.buildings import add_building
from distillnerf_core.simulation.cities import CITIES
from distillnerf_core.simulation.crossing_roadside import add_crossing_roadside
from distillnerf_core.simulation.ground import KERB_M
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between
from distillnerf_core.simulation.people import add_bicycle
from distillnerf_core.simulation.vegetation import add_bush, add_hedge, add_tree

REACH_M = 130.0
"""How far along the street things stand."""


def add_roadside(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout) -> None:
    """Adds everything that stands beside the road."""
    for side in (-1.0, 1.0):
        _add_buildings(street, rng, layout, side)
        _add_tree_row(street, rng, layout, side)
        _add_gardens(street, rng, layout, side)
        _add_poles(street, rng, layout, side)
        _add_small_things(street, rng, layout, side)
    if layout.median > 1.5 and rng.random() < 0.7:
        _add_median_plants(street, rng, layout)
    if layout.crossing_x is not None:
        _add_signals(street, rng, layout, layout.crossing_x)
        if layout.busy_crossing:
            add_crossing_roadside(street, rng, layout, layout.crossing_x)


def _heading(side: float) -> float:
    """Returns the yaw of a pose whose +y axis points away from the street."""
    return 0.0 if side > 0 else math.pi


def _add_buildings(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, side: float) -> None:
    front, look = layout.road_half + layout.sidewalk + layout.verge, CITIES[layout.city]
    x = -REACH_M - between(rng, 0.0, 10.0)
    while x < REACH_M + layout.extension_m:
        length, depth = between(rng, *look.length_m), between(rng, *look.depth_m)
        middle = x + length / 2
        gap = between(rng, 0.0, look.gap_m[0]) if layout.urban > 0.5 else between(rng, 1.0, look.gap_m[1])
        built = look.built[0] + look.built[1] * layout.urban
        if not layout.near_crossing(middle, length / 2 + 3.0) and rng.random() < built:
            setback = between(rng, 0.0, 3.0)
            pose = Pose(middle, side * (front + setback), KERB_M, _heading(side))
            add_building(street, rng, pose, length, depth, layout.urban, look)
        x += length + gap
    if layout.crossing_x is not None:
        _add_crossing_buildings(street, rng, layout, side, layout.crossing_x)


def _add_crossing_buildings(
    street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, side: float, crossing_x: float
) -> None:
    """Adds rows along the crossing street, behind the corner buildings."""
    look = CITIES[layout.city]
    for end in (-1.0, 1.0):
        y = layout.road_half + layout.sidewalk + layout.verge + 24.0
        while y < 110.0 + layout.crossing_extension_m:
            length = between(rng, *look.crossing_length_m)
            place = crossing_x + end * (layout.crossing_half + 3.0)
            pose = Pose(place, side * (y + length / 2), KERB_M, -end * math.pi / 2)
            add_building(street, rng, pose, length, look.crossing_depth_m, layout.urban, look)
            y += length + between(rng, 0.5, 5.0)


def _add_tree_row(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, side: float) -> None:
    if rng.random() < CITIES[layout.city].treeless:
        return
    spacing = between(rng, 7.0, 18.0)
    on_sidewalk = layout.sidewalk > 3.0 and layout.verge < 3.0
    away = 0.9 if on_sidewalk else layout.sidewalk + min(1.2, layout.verge / 2)
    for x in np.arange(-REACH_M, REACH_M + layout.extension_m, spacing):
        place = float(x) + between(rng, -1.5, 1.5)
        if rng.random() < 0.85 and not layout.near_crossing(place, 4.0):
            add_tree(street, rng, Pose(place, side * (layout.road_half + away), KERB_M))


def _add_gardens(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, side: float) -> None:
    if layout.verge < 1.5:
        return
    line = layout.road_half + layout.sidewalk + 0.5
    style = rng.random()
    x = -REACH_M
    while x < REACH_M + layout.extension_m:
        length = between(rng, 3.0, 10.0)
        middle = x + length / 2
        if not layout.near_crossing(middle, length / 2 + 4.0):
            draw = rng.random()
            if draw < 0.22 and style < 0.6:
                add_hedge(street, rng, Pose(middle, side * line, KERB_M), length)
            elif draw < 0.3:
                furniture.add_fence(street, rng, Pose(middle, side * line, KERB_M), length)
            elif draw < 0.65:
                away = between(rng, 0.3, layout.verge)
                add_bush(street, rng, Pose(middle, side * (line + away), KERB_M))
            elif draw < 0.8 and layout.verge > 4.0:
                add_tree(street, rng, Pose(middle, side * (line + layout.verge / 2), KERB_M))
        x += length + between(rng, 0.5, 6.0)


def _add_poles(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, side: float) -> None:
    kerb = layout.road_half + 0.45
    towards_road = -side * math.pi / 2
    spacing = between(rng, 18.0, 32.0)
    wooden = layout.urban < 0.4 and rng.random() < 0.5
    for x in np.arange(-REACH_M + between(rng, 0.0, spacing), REACH_M + layout.extension_m, spacing):
        if layout.near_crossing(float(x), 2.0):
            continue
        if wooden:
            furniture.add_utility_pole(street, rng, Pose(float(x), side * kerb, KERB_M, math.pi / 2))
        else:
            furniture.add_street_lamp(street, rng, Pose(float(x), side * kerb, KERB_M, towards_road))
    for _ in range(layout.share_of(int(rng.integers(3, 9)), -70.0, 80.0)):
        x, faces = between(rng, -70.0, 80.0 + layout.extension_m), 0.0 if side == layout.side else math.pi
        if not layout.near_crossing(x, 2.0):
            furniture.add_sign(street, rng, Pose(x, side * kerb, KERB_M, faces))


def _add_small_things(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, side: float) -> None:
    for _ in range(layout.share_of(int(rng.integers(2, 14)), -60.0, 70.0)):
        x, away = between(rng, -60.0, 70.0 + layout.extension_m), between(rng, 0.4, 0.9)
        if not layout.near_crossing(x, 1.0):
            pose = Pose(x, side * (layout.road_half + away), KERB_M, -side * math.pi / 2)
            furniture.add_bollard_or_box(street, rng, pose)
    for _ in range(layout.share_of(int(rng.integers(0, 5)), -50.0, 60.0)):
        x = between(rng, -50.0, 60.0 + layout.extension_m)
        if not layout.near_crossing(x, 2.0):
            away = layout.road_half + layout.sidewalk - 0.4
            add_bicycle(street, rng, Pose(x, side * away, KERB_M, between(rng, 0.0, 6.3)))
    stop = between(rng, -40.0, 50.0)
    if rng.random() < 0.3 and layout.sidewalk > 2.6 and not layout.near_crossing(stop, 4.0):
        pose = Pose(stop, side * (layout.road_half + layout.sidewalk - 0.9), KERB_M, -side * math.pi / 2)
        furniture.add_bus_stop(street, rng, pose)


def _add_median_plants(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout) -> None:
    spacing = between(rng, 6.0, 15.0)
    for x in np.arange(-REACH_M, REACH_M + layout.extension_m, spacing):
        if layout.near_crossing(float(x), 7.0):
            continue
        if rng.random() < 0.5:
            add_tree(street, rng, Pose(float(x), 0.0, KERB_M))
        else:
            add_hedge(street, rng, Pose(float(x), 0.0, KERB_M), spacing * 0.5)


def _add_signals(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, crossing_x: float) -> None:
    half, kerb = layout.crossing_half, layout.road_half + 0.6
    own, other = layout.side, -layout.side
    turn = 0.0 if layout.drives_on_right else math.pi
    furniture.add_traffic_light(street, rng, Pose(crossing_x + half + 0.8, own * kerb, KERB_M, 0.0 + turn))
    furniture.add_traffic_light(street, rng, Pose(crossing_x - half - 0.8, other * kerb, KERB_M, math.pi + turn))
