"""Houses and towers with procedural facades."""

import numpy as np

from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.palette import WALLS, between, pick, vary
from distillnerf_core.simulation.primitives import Material

GLASS_TINTS = ((0.20, 0.26, 0.33), (0.28, 0.36, 0.42), (0.16, 0.20, 0.25), (0.34, 0.40, 0.42))


def add_building(
    street: StreetBuilder, rng: np.random.Generator, pose: Pose, length: float, depth: float, tall: float
) -> None:
    """Adds a building whose front (towards -y of the pose) lies on the pose's x axis.

    Args:
        street: collects the parts.
        rng: source of randomness.
        pose: middle of the front on the ground; the building extends to +y.
        length: along the front, metres.
        depth: away from the street, metres.
        tall: 0 for houses, 1 for towers; values between mix both.
    """
    floor = between(rng, 2.9, 3.6)
    floors = int(rng.integers(2, 5)) + (int(rng.integers(3, 16)) if rng.random() < tall else 0)
    base = between(rng, 3.4, 4.6)
    height = base + floor * (floors - 1)
    wall = _facade(rng, floor, base)
    building = street.object("manmade", pose)
    building.box((0, depth / 2, height / 2), (length, depth, height), wall)
    trim = Look(vary(rng, (0.55, 0.53, 0.50)))
    building.box((0, depth / 2, height + 0.2), (length + 0.5, depth + 0.5, 0.4), trim)
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


def _facade(rng: np.random.Generator, floor: float, base: float) -> Look:
    style = float(rng.integers(4))
    window = between(rng, 1.8, 3.4)
    tint = vary(rng, pick(rng, GLASS_TINTS))
    color = vary(rng, pick(rng, WALLS), 0.1)
    return Look(color, Material.FACADE, tint, (floor, window, style + 0.9 * float(rng.random()), base))
