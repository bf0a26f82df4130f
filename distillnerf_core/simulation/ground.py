"""The raised ground beside the road: sidewalks with kerbs, grass, medians and plazas."""

import numpy as np

from distillnerf_core.simulation.bend import Bend
from distillnerf_core.simulation.builder import Color, Look, Pose, StreetBuilder
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between, pick, vary
from distillnerf_core.simulation.primitives import Material

EXTENT_M = 330.0
"""Half length of the built world along the street."""
KERB_M = 0.14
_CENTER_M = 2.0
"""Ground ends so far from the centre of an arc."""
_JOINT_M = 0.01
"""What pieces overlap by at their outer edge."""
_BELOW_M = 0.12


def add_ground(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout) -> None:
    """Adds everything flat that is not road."""
    stone = vary(rng, pick(rng, ((0.62, 0.60, 0.57), (0.68, 0.64, 0.58), (0.56, 0.52, 0.50), (0.66, 0.58, 0.52))))
    grass = vary(rng, pick(rng, ((0.36, 0.48, 0.20), (0.44, 0.50, 0.24), (0.52, 0.50, 0.30), (0.30, 0.44, 0.20))))
    tile = between(rng, 0.6, 1.6)
    sidewalk = Look(stone, Material.PAVEMENT, _darker(stone), (tile, tile))
    terrain = Look(grass, Material.GRASS, _darker(grass), (1.3,))
    for side in (-1.0, 1.0):
        back = ("other_flat", _plaza(rng)) if rng.random() < 0.25 * layout.urban else ("terrain", terrain)
        for x_from, x_to, crossing_end in _blocks(layout):
            _add_block(street, layout, side, (x_from, x_to), crossing_end, sidewalk, back)
    if layout.median > 0:
        _add_median(street, rng, layout)


def _add_block(
    street: StreetBuilder,
    layout: StreetLayout,
    side: float,
    span: tuple[float, float],
    crossing_end: int,
    sidewalk: Look,
    back: tuple[str, Look],
) -> None:
    """Adds the ground between one crossing and the next on one side; `crossing_end` is -1, 1 or 0 for none."""
    kerb, inner = layout.road_half, layout.road_half + layout.sidewalk
    _add_slab(street, "sidewalk", span, (side * kerb, side * inner), KERB_M, sidewalk)
    low, high = span
    if crossing_end < 0:
        _add_slab(street, "sidewalk", (low, low + 2.5), (side * inner, side * EXTENT_M), KERB_M, sidewalk)
        low += 2.5
    elif crossing_end > 0:
        _add_slab(street, "sidewalk", (high - 2.5, high), (side * inner, side * EXTENT_M), KERB_M, sidewalk)
        high -= 2.5
    _add_slab(street, back[0], (low, high), (side * inner, side * EXTENT_M), KERB_M - 0.02, back[1])


def _add_median(street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout) -> None:
    stone = vary(rng, (0.58, 0.52, 0.48))
    look = Look(stone, Material.PAVEMENT, _darker(stone), (0.4, 0.4))
    half = layout.median / 2
    for x_from, x_to, crossing_end in _blocks(layout):
        low = x_from + (4.0 if crossing_end < 0 else 0.0)
        high = x_to - (4.0 if crossing_end > 0 else 0.0)
        _add_slab(street, "other_flat", (low, high), (-half, half), KERB_M, look)


def _blocks(layout: StreetLayout) -> list[tuple[float, float, int]]:
    """Returns the spans of x between crossings and which end of each lies at a crossing."""
    if layout.crossing_x is None:
        return [(-EXTENT_M, EXTENT_M + layout.extension_m, 0)]
    low, high = layout.crossing_x - layout.crossing_half, layout.crossing_x + layout.crossing_half
    return [(-EXTENT_M, low, 1), (high, EXTENT_M + layout.extension_m, -1)]


def _add_slab(
    street: StreetBuilder, label: str, x: tuple[float, float], y: tuple[float, float], top: float, look: Look
) -> None:
    height = top + _BELOW_M
    for low, high in (x,) if street.bend is None else street.bend.pieces(*x):
        right, left, length = min(y), max(y), high - low
        if street.bend is not None and street.bend.bends(low, high):
            right, left, length = _fit_to_arc(street.bend, right, left, length)
        piece = street.object(label, Pose((low + high) / 2, (right + left) / 2))
        piece.box((0.0, 0.0, (top - _BELOW_M) / 2), (length, left - right, height), look)


def _fit_to_arc(bend: Bend, right: float, left: float, length: float) -> tuple[float, float, float]:
    """Keeps a piece of ground on this side of the arc's centre, and makes it as long as its outer edge needs."""
    farthest = bend.radius_m - _CENTER_M
    if bend.side > 0:
        return min(right, farthest), min(left, farthest), length * (1.0 - right / bend.radius_m) + _JOINT_M
    return max(right, -farthest), max(left, -farthest), length * (1.0 + left / bend.radius_m) + _JOINT_M


def _plaza(rng: np.random.Generator) -> Look:
    stone = vary(rng, pick(rng, ((0.70, 0.62, 0.52), (0.55, 0.56, 0.58), (0.66, 0.50, 0.42))))
    return Look(stone, Material.PAVEMENT, _darker(stone), (2.4, 1.2))


def _darker(color: Color) -> Color:
    return color[0] * 0.72, color[1] * 0.74, color[2] * 0.74
