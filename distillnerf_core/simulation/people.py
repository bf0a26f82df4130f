"""Pedestrians, bicycles and motorcycles, with riders."""

import math

import numpy as np

from distillnerf_core.simulation.builder import Color, Look, ObjectBuilder, Pose, StreetBuilder
from distillnerf_core.simulation.palette import (
    CLOTHES,
    SKINS,
    STEEL,
    TYRE,
    VEHICLE_PAINTS,
    between,
    pick,
    vary,
)


def add_pedestrian(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a standing or walking person."""
    height = between(rng, 1.5, 1.92)
    top, trousers, skin = _outfit(rng)
    person = street.object("pedestrian", pose)
    stride = between(rng, 0.15, 0.45) if pose.speed_m_s > 0 else 0.03
    leg = 0.48 * height
    for side, swing in ((-1.0, stride), (1.0, -stride)):
        person.box((swing * leg / 2, side * 0.1, leg / 2), (0.16, 0.15, leg), Look(trousers), pitch=swing)
    person.ellipsoid((0, 0, 0.66 * height), (0.30, 0.50, 0.44 * height), Look(top))
    for side in (-1.0, 1.0):
        reach = -side * stride * 0.8
        person.box((-reach * 0.3, side * 0.27, 0.62 * height), (0.11, 0.10, 0.34 * height), Look(top), pitch=reach)
    person.ellipsoid((0.02, 0, 0.93 * height), (0.22, 0.20, 0.26), Look(skin))
    person.ellipsoid((-0.03, 0, 0.955 * height), (0.22, 0.22, 0.22), Look(vary(rng, (0.16, 0.11, 0.08))))
    if rng.random() < 0.3:
        person.box((-0.22, 0, 0.7 * height), (0.2, 0.32, 0.42), Look(vary(rng, pick(rng, CLOTHES))))


def add_bicycle(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a bicycle; a moving one has a rider, which belongs to the same class as in nuScenes."""
    frame = Look(vary(rng, pick(rng, VEHICLE_PAINTS)))
    bicycle = street.object("bicycle", pose)
    for place in (-0.52, 0.52):
        bicycle.wheel((place, 0, 0.34), 0.34, 0.05, TYRE)
        bicycle.wheel((place, 0, 0.34), 0.27, 0.055, Look((0.55, 0.57, 0.58)))
    bicycle.box((0.0, 0, 0.78), (0.75, 0.06, 0.07), frame)
    bicycle.box((0.12, 0, 0.55), (0.72, 0.06, 0.07), frame, pitch=-0.75)
    bicycle.box((-0.30, 0, 0.62), (0.07, 0.06, 0.62), frame, pitch=-0.2)
    bicycle.box((0.45, 0, 0.68), (0.07, 0.06, 0.74), frame, pitch=-0.25)
    bicycle.box((-0.36, 0, 0.95), (0.28, 0.16, 0.07), TYRE)
    bicycle.box((0.38, 0, 1.05), (0.08, 0.58, 0.06), TYRE)
    if pose.speed_m_s > 0:
        _add_rider(bicycle, rng, seat=0.95, grip=1.05)


def add_motorcycle(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a motorcycle; a moving one has a rider."""
    paint = Look(vary(rng, pick(rng, VEHICLE_PAINTS)))
    motorcycle = street.object("motorcycle", pose)
    for place in (-0.68, 0.70):
        motorcycle.wheel((place, 0, 0.32), 0.32, 0.14, TYRE)
        motorcycle.wheel((place, 0, 0.32), 0.18, 0.15, STEEL)
    motorcycle.box((0.0, 0, 0.45), (0.75, 0.32, 0.42), Look((0.2, 0.2, 0.21)))
    motorcycle.ellipsoid((0.2, 0, 0.83), (0.62, 0.34, 0.34), paint)
    motorcycle.box((-0.42, 0, 0.80), (0.75, 0.28, 0.14), TYRE)
    motorcycle.box((-0.75, 0, 0.72), (0.35, 0.2, 0.12), paint)
    motorcycle.box((0.58, 0, 0.65), (0.1, 0.16, 0.75), STEEL, pitch=-0.45)
    motorcycle.box((0.42, 0, 1.05), (0.1, 0.72, 0.07), TYRE)
    motorcycle.box((0.60, 0, 0.92), (0.16, 0.22, 0.2), Look((0.92, 0.92, 0.86)))
    if pose.speed_m_s > 0:
        _add_rider(motorcycle, rng, seat=0.86, grip=1.05)


def _add_rider(vehicle: ObjectBuilder, rng: np.random.Generator, seat: float, grip: float) -> None:
    top, trousers, _ = _outfit(rng)
    for side in (-1.0, 1.0):
        vehicle.box((-0.10, side * 0.14, seat - 0.06), (0.52, 0.15, 0.16), Look(trousers), pitch=0.25)
        vehicle.box((0.12, side * 0.14, seat - 0.36), (0.14, 0.13, 0.52), Look(trousers), pitch=0.1)
        vehicle.box((0.14, side * 0.24, (seat + grip) / 2 + 0.28), (0.55, 0.10, 0.11), Look(top), pitch=0.5)
    vehicle.ellipsoid((-0.16, 0, seat + 0.34), (0.34, 0.46, 0.76), Look(top), pitch=0.3)
    vehicle.ellipsoid((0.02, 0, seat + 0.82), (0.26, 0.24, 0.28), Look(vary(rng, pick(rng, CLOTHES))))


def _outfit(rng: np.random.Generator) -> tuple[Color, Color, Color]:
    trousers = pick(rng, ((0.16, 0.20, 0.32), (0.14, 0.14, 0.15), (0.42, 0.38, 0.30), (0.30, 0.32, 0.36)))
    return vary(rng, pick(rng, CLOTHES)), vary(rng, trousers), vary(rng, pick(rng, SKINS))


def walking_direction(rng: np.random.Generator, along: float) -> float:
    """Draws a heading along a sidewalk, one way or the other, radians."""
    return along + (math.pi if rng.random() < 0.5 else 0.0)
