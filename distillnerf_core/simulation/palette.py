"""Colours and small random helpers for street objects."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from distillnerf_core.simulation.builder import Color, Look

Item = TypeVar("Item")

VEHICLE_PAINTS: tuple[Color, ...] = (
    (0.92, 0.92, 0.92),
    (0.75, 0.76, 0.78),
    (0.45, 0.47, 0.50),
    (0.16, 0.17, 0.19),
    (0.62, 0.10, 0.10),
    (0.13, 0.25, 0.55),
    (0.10, 0.38, 0.30),
    (0.80, 0.62, 0.16),
    (0.35, 0.62, 0.78),
    (0.50, 0.36, 0.26),
)
CLOTHES: tuple[Color, ...] = (
    (0.80, 0.25, 0.22),
    (0.20, 0.32, 0.62),
    (0.88, 0.82, 0.66),
    (0.22, 0.24, 0.28),
    (0.36, 0.55, 0.36),
    (0.86, 0.60, 0.20),
    (0.62, 0.40, 0.62),
    (0.90, 0.90, 0.90),
)
SKINS: tuple[Color, ...] = ((0.90, 0.72, 0.60), (0.74, 0.54, 0.42), (0.48, 0.33, 0.25))
WALLS: tuple[Color, ...] = (
    (0.78, 0.70, 0.58),
    (0.66, 0.42, 0.33),
    (0.82, 0.80, 0.76),
    (0.58, 0.60, 0.63),
    (0.72, 0.58, 0.46),
    (0.86, 0.78, 0.62),
    (0.52, 0.34, 0.28),
    (0.64, 0.70, 0.72),
)
LEAVES: tuple[Color, ...] = (
    (0.20, 0.38, 0.14),
    (0.28, 0.46, 0.18),
    (0.34, 0.44, 0.16),
    (0.16, 0.32, 0.18),
    (0.46, 0.46, 0.18),
)
TYRE = Look((0.07, 0.07, 0.08))
GLASS = Look((0.13, 0.18, 0.23))
STEEL = Look((0.42, 0.44, 0.46))
HEADLIGHT = Look((0.96, 0.95, 0.86))
TAILLIGHT = Look((0.72, 0.06, 0.06))


def pick(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """Draws one item."""
    return items[int(rng.integers(len(items)))]


def vary(rng: np.random.Generator, color: Color, amount: float = 0.06) -> Color:
    """Shifts the brightness and, less, the hue of a colour."""
    shifted = np.asarray(color) * (1.0 + rng.normal(0.0, amount)) + rng.normal(0.0, amount / 3, 3)
    red, green, blue = np.clip(shifted, 0.02, 0.98)
    return float(red), float(green), float(blue)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draws a number uniformly."""
    return float(rng.uniform(low, high))
