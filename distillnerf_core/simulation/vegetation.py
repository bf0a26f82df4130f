"""Trees, bushes and hedges."""

import math

import numpy as np

from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.palette import LEAVES, between, pick, vary
from distillnerf_core.simulation.primitives import Material


def add_tree(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a broad-leaved tree, a conifer or a palm-like tree."""
    kind = rng.random()
    if kind < 0.75:
        _add_broad_tree(street, rng, pose)
    else:
        _add_conifer(street, rng, pose)


def add_bush(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a bush of two or three ellipsoids."""
    bush = street.object("vegetation", pose)
    size = between(rng, 0.7, 1.8)
    leaves = _leaves(rng)
    for _ in range(int(rng.integers(2, 4))):
        x, y = rng.normal(0.0, 0.25 * size, 2)
        diameter = size * between(rng, 0.8, 1.1)
        bush.ellipsoid((float(x), float(y), 0.4 * diameter), (diameter, diameter, diameter), leaves)


def add_hedge(street: StreetBuilder, rng: np.random.Generator, pose: Pose, length: float) -> None:
    """Adds a trimmed hedge along the pose."""
    height, width = between(rng, 0.7, 1.6), between(rng, 0.6, 1.0)
    street.object("vegetation", pose).box((0, 0, height / 2), (length, width, height), _leaves(rng))


def _add_broad_tree(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    tree = street.object("vegetation", pose)
    trunk, crown = between(rng, 2.0, 3.4), between(rng, 2.6, 5.2)
    radius = between(rng, 0.12, 0.28)
    bark = Look(vary(rng, (0.34, 0.26, 0.19)), Material.BARK)
    tree.frustum((0, 0, (trunk + 0.8) / 2), radius, trunk + 0.8, bark, taper=0.7)
    leaves = _leaves(rng)
    tree.ellipsoid((0, 0, trunk + 0.42 * crown), (crown, crown, crown * 0.9), leaves)
    blobs = int(rng.integers(3, 6))
    for blob in range(blobs):
        angle = 2 * math.pi * blob / blobs + between(rng, -0.4, 0.4)
        reach, size = 0.34 * crown, crown * between(rng, 0.5, 0.75)
        rise = trunk + crown * between(rng, 0.2, 0.75)
        tree.ellipsoid((reach * math.cos(angle), reach * math.sin(angle), rise), (size, size, size * 0.8), leaves)


def _add_conifer(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    tree = street.object("vegetation", pose)
    height, radius = between(rng, 4.5, 9.0), between(rng, 1.1, 2.0)
    tree.frustum((0, 0, 0.8), 0.16, 1.6, Look(vary(rng, (0.30, 0.22, 0.16)), Material.BARK))
    leaves = _leaves(rng)
    for level in range(3):
        bottom = 0.9 + level * 0.28 * height
        size = radius * (1.0 - 0.24 * level)
        tree.frustum((0, 0, bottom + 0.22 * height), size, 0.44 * height, leaves, taper=0.12)


def _leaves(rng: np.random.Generator) -> Look:
    color = vary(rng, pick(rng, LEAVES), 0.1)
    dark = (color[0] * 0.5, color[1] * 0.55, color[2] * 0.5)
    return Look(color, Material.FOLIAGE, dark, (between(rng, 1.6, 3.0), float(rng.random())))
