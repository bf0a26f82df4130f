"""Cars, trucks, buses, trailers and construction vehicles."""

from collections.abc import Callable

import numpy as np

from distillnerf_core.simulation.builder import Look, ObjectBuilder, Pose, StreetBuilder
from distillnerf_core.simulation.palette import (
    GLASS,
    HEADLIGHT,
    STEEL,
    TAILLIGHT,
    TYRE,
    VEHICLE_PAINTS,
    between,
    pick,
    vary,
)

VehicleMaker = Callable[[StreetBuilder, np.random.Generator, Pose], None]
"""Adds a vehicle centred on the pose, heading along it."""

_Body = tuple[float, float, float, float, float, float]
_CAR_BODIES: tuple[_Body, ...] = (
    # length, width, height, hood height, cabin start, cabin end (fractions of the length from the rear)
    (4.6, 1.82, 1.46, 0.92, 0.16, 0.74),
    (4.1, 1.76, 1.50, 0.95, 0.04, 0.72),
    (4.8, 1.92, 1.74, 1.08, 0.03, 0.74),
    (5.1, 1.96, 2.00, 1.15, 0.02, 0.82),
)
_VAN_BODY: _Body = (5.5, 2.02, 2.55, 1.30, 0.01, 0.86)


def add_car(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a sedan, hatchback, SUV or van."""
    _add_body(street, rng, pose, pick(rng, _CAR_BODIES))


def add_van(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a minibus, higher than a person."""
    _add_body(street, rng, pose, _VAN_BODY)


def _add_body(street: StreetBuilder, rng: np.random.Generator, pose: Pose, body: _Body) -> None:
    length, width, height, hood, start, end = body
    scale = between(rng, 0.94, 1.06)
    length, width, height, hood = length * scale, width * scale, height * scale, hood * scale
    paint = Look(vary(rng, pick(rng, VEHICLE_PAINTS)))
    car = street.object("car", pose)
    clearance = 0.24
    car.box((0, 0, (hood + clearance) / 2), (length, width, hood - clearance), paint)
    middle, cabin = length * ((start + end) / 2 - 0.5), length * (end - start)
    glass_top = height - 0.09
    car.box((middle, 0, (hood + glass_top) / 2), (cabin, width * 0.86, glass_top - hood), GLASS)
    car.box((middle, 0, glass_top + 0.045), (cabin * 0.88, width * 0.84, 0.09), paint)
    for part in (-0.34, 0.0, 0.36):
        car.box((middle + part * cabin, 0, (hood + height) / 2), (0.09, width * 0.88, height - hood), paint)
    car.box((length * 0.5 - 0.3, 0, hood + 0.02), (0.9 * (1 - end) * length, width * 0.9, 0.06), paint)
    _add_lights(car, length, width, hood * 0.78)
    _add_wheels(car, (-0.31 * length, 0.31 * length), width, 0.33 * scale)


def add_truck(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a box truck."""
    length, width, height = between(rng, 6.5, 9.5), 2.35, between(rng, 2.9, 3.6)
    cab_length = 1.9
    cab = Look(vary(rng, pick(rng, VEHICLE_PAINTS)))
    cargo = Look(vary(rng, pick(rng, ((0.9, 0.9, 0.88), (0.8, 0.82, 0.84), (0.35, 0.5, 0.6), (0.75, 0.3, 0.2)))))
    truck = street.object("truck", pose)
    front = length / 2
    cargo_length = length - cab_length - 0.2
    truck.box((-front + cargo_length / 2, 0, 0.95 + (height - 0.95) / 2), (cargo_length, width, height - 0.95), cargo)
    truck.box((-0.2, 0, 0.78), (length - 0.4, 0.9, 0.3), Look((0.15, 0.15, 0.16)))
    cab_top = min(2.6, height - 0.2)
    truck.box((front - cab_length / 2, 0, (0.45 + cab_top) / 2), (cab_length, width * 0.95, cab_top - 0.45), cab)
    truck.box((front - 0.03, 0, cab_top - 0.62), (0.1, width * 0.84, 0.75), GLASS)
    truck.box((front - 0.8, 0, cab_top - 0.62), (0.9, width * 0.965, 0.62), GLASS)
    _add_lights(truck, length, width, 0.75)
    _add_wheels(truck, (-0.36 * length, -0.22 * length, front - 1.1), width, 0.48)


def add_bus(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a city bus."""
    length, width, height = between(rng, 10.0, 12.5), 2.5, between(rng, 2.95, 3.25)
    paint = Look(vary(rng, pick(rng, ((0.75, 0.15, 0.14), (0.9, 0.72, 0.15), (0.16, 0.42, 0.62), (0.88, 0.9, 0.9)))))
    trim = Look(vary(rng, (0.85, 0.85, 0.83)))
    bus = street.object("bus", pose)
    bus.box((0, 0, 0.83), (length, width, 1.1), paint)
    bus.box((0, 0, 1.83), (length - 0.06, width - 0.06, 0.92), GLASS)
    bus.box((0, 0, (2.28 + height) / 2), (length, width, height - 2.28), trim)
    for place in np.linspace(-0.46, 0.40, 7):
        bus.box((float(place) * length, 0, 1.83), (0.16, width, 0.94), paint)
    bus.box((length / 2, 0, height - 0.3), (0.08, 1.5, 0.24), Look((0.95, 0.68, 0.2)))
    _add_lights(bus, length, width, 0.62)
    _add_wheels(bus, (-0.26 * length, 0.3 * length), width, 0.48)


def add_trailer(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds a cargo trailer."""
    length, width, height = between(rng, 7.0, 11.0), 2.45, between(rng, 3.2, 3.8)
    side = Look(vary(rng, pick(rng, ((0.86, 0.87, 0.88), (0.3, 0.42, 0.6), (0.6, 0.62, 0.62), (0.78, 0.55, 0.25)))))
    trailer = street.object("trailer", pose)
    trailer.box((0, 0, 1.15 + (height - 1.15) / 2), (length, width, height - 1.15), side)
    trailer.box((0, 0, 1.02), (length * 0.96, 1.0, 0.26), Look((0.16, 0.16, 0.17)))
    for place in np.linspace(-0.42, 0.42, 6):
        trailer.box((float(place) * length, 0, 1.2 + (height - 1.2) / 2), (0.1, width + 0.05, height - 1.3), STEEL)
    trailer.box((0.38 * length, 0, 0.45), (0.15, 1.2, 0.9), Look((0.2, 0.2, 0.2)))
    _add_wheels(trailer, (-0.40 * length, -0.27 * length), width, 0.48)


def add_construction_vehicle(street: StreetBuilder, rng: np.random.Generator, pose: Pose) -> None:
    """Adds an excavator."""
    paint = Look(vary(rng, pick(rng, ((0.92, 0.66, 0.10), (0.90, 0.45, 0.10), (0.85, 0.75, 0.2)))))
    dark = Look((0.16, 0.15, 0.14))
    digger = street.object("construction_vehicle", pose)
    for side in (-1.0, 1.0):
        digger.box((0, side * 1.0, 0.42), (3.3, 0.5, 0.84), dark)
    digger.box((-0.35, 0, 1.25), (2.9, 2.3, 0.85), paint)
    digger.box((0.4, 0.6, 2.15), (1.3, 1.0, 1.1), GLASS)
    digger.box((0.4, 0.6, 2.74), (1.4, 1.1, 0.1), paint)
    digger.box((-1.3, 0, 1.75), (1.0, 2.1, 0.5), paint)
    lift = between(rng, 0.4, 0.9)
    boom = 3.2
    top_x, top_z = 0.9 + boom * np.cos(lift), 1.5 + boom * np.sin(lift)
    digger.box(((0.9 + top_x) / 2, -0.3, (1.5 + top_z) / 2), (boom, 0.36, 0.45), paint, pitch=-lift)
    drop = 1.1
    end_x, end_z = top_x + 2.2 * np.cos(drop), top_z - 2.2 * np.sin(drop)
    digger.box(((top_x + end_x) / 2, -0.3, (top_z + end_z) / 2), (2.3, 0.3, 0.36), paint, pitch=drop)
    digger.box((float(end_x), -0.3, float(end_z) - 0.25), (0.8, 1.0, 0.75), dark, pitch=0.5)


def _add_wheels(vehicle: ObjectBuilder, places: tuple[float, ...], width: float, radius: float) -> None:
    for place in places:
        for side in (-1.0, 1.0):
            center = side * (width / 2 - 0.12)
            vehicle.wheel((place, center, radius), radius, 0.28, TYRE)
            vehicle.wheel((place, center + side * 0.01, radius), radius * 0.55, 0.28, STEEL)


def _add_lights(vehicle: ObjectBuilder, length: float, width: float, height: float) -> None:
    for side in (-1.0, 1.0):
        across = side * width * 0.38
        vehicle.box((length / 2, across, height), (0.06, width * 0.16, 0.14), HEADLIGHT)
        vehicle.box((-length / 2, across, height), (0.06, width * 0.18, 0.16), TAILLIGHT)
