"""Houses and towers with procedural facades."""

import math

import numpy as np

from distillnerf_core.simulation.builder import Look, ObjectBuilder, Pose, StreetBuilder
from distillnerf_core.simulation.cities import CityLook
from distillnerf_core.simulation.palette import WALLS, between, pick, vary
from distillnerf_core.simulation.primitives import Material

GLASS_TINTS = ((0.20, 0.26, 0.33), (0.28, 0.36, 0.42), (0.16, 0.20, 0.25), (0.34, 0.40, 0.42))


_ROOFS = ((0.52, 0.26, 0.18), (0.30, 0.28, 0.28), (0.42, 0.30, 0.22), (0.24, 0.27, 0.30))


def add_building(
    street: StreetBuilder,
    rng: np.random.Generator,
    pose: Pose,
    length: float,
    depth: float,
    tall: float,
    look: CityLook,
) -> None:
    """Adds a building whose front (towards -y of the pose) lies on the pose's x axis.

    Args:
        street: collects the parts.
        rng: source of randomness.
        pose: middle of the front on the ground; the building extends to +y.
        length: along the front, metres.
        depth: away from the street, metres.
        tall: 0 for low buildings, 1 for towers; values between mix both.
        look: part of the city.
    """
    floor = between(rng, 2.9, 3.6)
    floors = int(rng.integers(*look.floors)) + (int(rng.integers(*look.tower_floors)) if rng.random() < tall else 0)
    base = between(rng, *look.base_m)
    height = base + floor * (floors - 1)
    wall = _facade(rng, floor, base, look)
    building = street.object("manmade", pose)
    building.box((0, depth / 2, height / 2), (length, depth, height), wall)
    trim = Look(vary(rng, (0.55, 0.53, 0.50)))
    if look.pitched and rng.random() < look.pitched:
        _add_pitched_roof(building, rng, (length, depth, height), wall)
        return
    building.box((0, depth / 2, height + 0.2), (length + 0.5, depth + 0.5, 0.4), trim)
    if look.hall:
        _add_gates(building, rng, (length, depth, height))
        return
    if rng.random() < 0.6:
        building.box((0, -0.12, base), (length, 0.4, 0.25), trim)
    if rng.random() < 0.5 and length > 8:
        width = between(rng, 2.5, 4.5)
        place = between(rng, -0.3, 0.3) * length
        building.box((place, -0.6, base - 0.9), (width, 1.3, 0.15), Look(vary(rng, pick(rng, WALLS), 0.2)))
    if rng.random() < 0.5:
        building.box((0, depth / 2, height + 1.2), (length * 0.4, depth * 0.4, 2.4), trim)
    if rng.random() < 0.3 and floors > 4:
        building.box((0, depth / 2, height * 0.6), (length * 0.5, depth + 1.0, height * 1.2), wall)


def _facade(rng: np.random.Generator, floor: float, base: float, look: CityLook) -> Look:
    style = float(pick(rng, look.facades))
    window = between(rng, 1.8, 3.4)
    tint = vary(rng, pick(rng, GLASS_TINTS))
    color = vary(rng, pick(rng, look.walls), 0.1)
    return Look(color, Material.FACADE, tint, (floor, window, style + 0.9 * float(rng.random()), base))


def _add_pitched_roof(
    building: ObjectBuilder, rng: np.random.Generator, size: tuple[float, float, float], wall: Look
) -> None:
    """Adds a gable with slopes of 45 degrees, its ridge along the front, a chimney, and a door."""
    length, depth, height = size
    tiles, face = Look(vary(rng, pick(rng, _ROOFS), 0.1)), depth / math.sqrt(2.0)
    gable = Look(wall.color)
    building.box((0, depth / 2, height), (face, length, face), gable, yaw=math.pi / 2, pitch=math.pi / 4)
    for end, pitch in ((0.25, -math.pi / 4), (0.75, math.pi / 4)):
        middle = (0, end * depth + (end - 0.5) * 0.1, height + depth / 4 + 0.05)
        building.box(middle, (face + 0.8, length + 0.7, 0.2), tiles, yaw=math.pi / 2, pitch=pitch)
    building.box((between(rng, -0.3, 0.3) * length, 0.65 * depth, height + 0.45 * depth), (0.8, 0.6, 1.8), gable)
    door = Look(vary(rng, pick(rng, ((0.35, 0.20, 0.14), (0.16, 0.24, 0.34), (0.62, 0.60, 0.56)))))
    building.box((between(rng, -0.3, 0.3) * length, -0.03, 1.1), (1.1, 0.1, 2.2), door)


def _add_gates(building: ObjectBuilder, rng: np.random.Generator, size: tuple[float, float, float]) -> None:
    """Adds gates with a canopy over them to a hall, and tanks or a chimney beside it."""
    length, depth, height = size
    color = vary(rng, pick(rng, ((0.85, 0.85, 0.83), (0.20, 0.34, 0.52), (0.62, 0.20, 0.16), (0.45, 0.47, 0.48))))
    gate = Look(color, Material.STRIPES, (color[0] * 0.8, color[1] * 0.8, color[2] * 0.8), (0.5, 1.0))
    count = int(rng.integers(1, 5))
    for number in range(count):
        place = ((number + 0.5) / count - 0.5) * length * 0.8
        building.box((place, -0.05, 2.1), (3.6, 0.2, 4.2), gate)
    building.box((0, -0.9, 4.6), (length * 0.8, 1.8, 0.2), Look((0.5, 0.52, 0.53)))
    metal = Look(vary(rng, (0.72, 0.73, 0.74)))
    if rng.random() < 0.4:
        for place in (-0.2, 0.2):
            building.frustum((length / 2 + 3.0, (0.5 + place) * depth, height / 2), 2.2, height, metal)
    elif rng.random() < 0.4:
        brick = Look(vary(rng, (0.55, 0.36, 0.28)))
        building.frustum((0.3 * length, 0.7 * depth, height + 7.0), 1.2, 14.0, brick, taper=0.7)
