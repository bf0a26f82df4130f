"""Lamps, signs, traffic lights, barriers, cones, bus stops and other things beside the road."""

import math

import numpy as np

from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.palette import STEEL, between, pick, vary
from distillnerf_core.simulation.primitives import Material

_SIGN_COLORS = ((0.10, 0.30, 0.62), (0.72, 0.10, 0.10), (0.12, 0.45, 0.28), (0.90, 0.78, 0.16), (0.9, 0.9, 0.9))


def add_street_lamp(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a lamp whose arm reaches forward from the pose."""
    height = between(rng, 6.0, 8.5)
    metal = Look(vary(rng, pick(rng, ((0.35, 0.37, 0.38), (0.22, 0.26, 0.24), (0.6, 0.61, 0.62)))))
    lamp = street.object("manmade", pose)
    lamp.frustum((0, 0, height / 2), 0.10, height, metal, taper=0.6)
    lamp.frustum((0, 0, 0.3), 0.17, 0.6, metal)
    lamp.box((0.8, 0, height - 0.05), (1.8, 0.09, 0.09), metal)
    lamp.box((1.6, 0, height - 0.12), (0.7, 0.26, 0.12), Look((0.8, 0.8, 0.76)))


def add_sign(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a traffic sign that faces backwards along the pose."""
    sign = street.object("manmade", pose)
    height, width = between(rng, 2.2, 2.9), between(rng, 0.55, 1.1)
    sign.frustum((0, 0, height / 2), 0.045, height, STEEL)
    face = Look(vary(rng, pick(rng, _SIGN_COLORS)))
    sign.box((-0.06, 0, height - width * 0.4), (0.04, width, width * 0.8), face)
    sign.box((-0.075, 0, height - width * 0.4), (0.03, width * 0.6, width * 0.2), Look((0.94, 0.94, 0.92)))


def add_traffic_light(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a signal on a mast with an arm to the left, facing backwards along the pose."""
    signal = street.object("manmade", pose)
    dark = Look((0.12, 0.13, 0.12))
    reach = between(rng, 1.5, 4.5)
    signal.frustum((0, 0, 2.9), 0.10, 5.8, STEEL, taper=0.7)
    signal.box((0, reach / 2, 5.6), (0.1, reach, 0.1), STEEL)
    lit = int(rng.integers(3))
    for y, z in ((reach, 5.3), (0.0, 2.9)):
        signal.box((-0.14, y, z), (0.22, 0.34, 1.0), dark)
        colors = ((0.95, 0.12, 0.1), (0.98, 0.75, 0.1), (0.1, 0.9, 0.4))
        for light, color in enumerate(colors):
            dim = 1.0 if light == lit else 0.25
            look = Look((color[0] * dim, color[1] * dim, color[2] * dim))
            signal.ellipsoid((-0.25, y, z + 0.3 - 0.3 * light), (0.1, 0.22, 0.22), look)


def add_utility_pole(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a wooden pole with cross arms."""
    pole = street.object("manmade", pose)
    wood = Look(vary(rng, (0.40, 0.31, 0.23)), Material.BARK)
    height = between(rng, 8.0, 10.0)
    pole.frustum((0, 0, height / 2), 0.16, height, wood, taper=0.7)
    for level in (0.5, 1.3):
        pole.box((0, 0, height - level), (0.12, 2.2, 0.12), wood)
    if rng.random() < 0.5:
        pole.frustum((0.35, 0, height - 2.0), 0.25, 0.9, Look((0.55, 0.57, 0.58)))


def add_bollard_or_box(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a bin, hydrant, bollard, post box, bench or switch cabinet."""
    thing = street.object("manmade", pose)
    kind = int(rng.integers(5))
    if kind == 0:
        thing.frustum((0, 0, 0.5), 0.28, 1.0, Look(vary(rng, (0.16, 0.34, 0.26))), taper=1.1)
        thing.ellipsoid((0, 0, 1.0), (0.62, 0.62, 0.3), Look((0.14, 0.15, 0.15)))
    elif kind == 1:
        thing.frustum((0, 0, 0.35), 0.15, 0.7, Look(vary(rng, (0.75, 0.15, 0.1))))
        thing.ellipsoid((0, 0, 0.72), (0.3, 0.3, 0.3), Look(vary(rng, (0.75, 0.15, 0.1))))
    elif kind == 2:
        thing.frustum((0, 0, 0.45), 0.09, 0.9, Look((0.2, 0.21, 0.22)))
        thing.frustum((0, 0, 0.82), 0.095, 0.1, Look((0.9, 0.88, 0.4)))
    elif kind == 3:
        thing.box((0, 0, 0.65), (0.5, 0.9, 1.3), Look(vary(rng, (0.52, 0.55, 0.5))))
    else:
        wood = Look(vary(rng, (0.48, 0.33, 0.2)))
        thing.box((0, 0, 0.45), (0.5, 1.7, 0.08), wood)
        thing.box((-0.25, 0, 0.72), (0.07, 1.7, 0.4), wood)
        for side in (-0.7, 0.7):
            thing.box((0, side, 0.22), (0.45, 0.08, 0.44), STEEL)


def add_bus_stop(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a shelter open towards the front of the pose."""
    stop = street.object("manmade", pose)
    frame = Look(vary(rng, (0.3, 0.33, 0.35)))
    stop.box((0, 0, 2.5), (1.5, 4.0, 0.12), frame)
    stop.box((-0.65, 0, 1.25), (0.06, 3.8, 2.3), Look(vary(rng, (0.55, 0.66, 0.70))))
    for side in (-1.9, 1.9):
        stop.box((0.6, side, 1.25), (0.1, 0.1, 2.5), frame)
    stop.box((-0.3, 0, 0.5), (0.4, 2.4, 0.08), Look((0.48, 0.33, 0.2)))
    advert = Look(vary(rng, pick(rng, _SIGN_COLORS)), Material.STRIPES, (0.9, 0.85, 0.75), (0.8, 0.0))
    stop.box((0, 1.95, 1.3), (1.1, 0.1, 1.8), advert)


def add_barrier(street: StreetBuilder, rng: np.random.Generator, pose: Pose, kind: int) -> None:
    """Adds a concrete element (kind 0), a red and white plastic wall (1) or a guard rail (2) along the pose."""
    barrier = street.object("barrier", pose)
    if kind == 0:
        concrete = Look(vary(rng, (0.66, 0.65, 0.62), 0.03), Material.PAVEMENT, (0.5, 0.5, 0.48), (2.0, 2.0))
        barrier.box((0, 0, 0.15), (1.95, 0.6, 0.3), concrete)
        barrier.box((0, 0, 0.55), (1.95, 0.28, 0.6), concrete)
    elif kind == 1:
        striped = Look((0.86, 0.24, 0.12), Material.STRIPES, (0.93, 0.92, 0.9), (0.65, 0.0))
        barrier.box((0, 0, 0.5), (1.9, 0.4, 1.0), striped)
    else:
        barrier.box((0, 0, 0.62), (2.0, 0.09, 0.32), Look((0.72, 0.73, 0.74)))
        barrier.box((0, 0, 0.3), (0.12, 0.16, 0.6), STEEL)


def add_cone(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a traffic cone."""
    cone = street.object("traffic_cone", pose)
    height = between(rng, 0.6, 0.95)
    look = Look(vary(rng, (0.95, 0.36, 0.08), 0.03), Material.STRIPES, (0.95, 0.94, 0.92), (height / 1.5, 1.0))
    cone.box((0, 0, 0.03), (0.42, 0.42, 0.06), Look((0.85, 0.32, 0.08)))
    cone.frustum((0, 0, height / 2), 0.17, height, look, taper=0.15)


def add_fence(street: StreetBuilder, rng: np.random.Generator, pose: Pose, length: float) -> None:
    """Adds a garden wall or fence along the pose."""
    fence = street.object("manmade", pose)
    height = between(rng, 0.8, 1.7)
    look = Look(vary(rng, pick(rng, ((0.6, 0.55, 0.48), (0.45, 0.35, 0.27), (0.75, 0.74, 0.7)))), Material.PAVEMENT)
    fence.box((0, 0, height / 2), (length, 0.2, height), look)
    for place in np.linspace(-0.5, 0.5, max(2, math.ceil(length / 4))):
        fence.box((float(place) * length, 0, height / 2 + 0.08), (0.35, 0.35, height + 0.16), look)
