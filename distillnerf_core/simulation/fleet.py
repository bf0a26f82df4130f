"""Which vehicles there are on a street, and how often."""

import numpy as np

from distillnerf_core.simulation.people import add_bicycle, add_motorcycle
from distillnerf_core.simulation.vehicles import VehicleMaker, add_bus, add_car, add_trailer, add_truck

VEHICLE_WIDTH_M = 2.3
"""Room across that a vehicle needs."""
PERSON_M = 0.8
"""Room that a person needs."""
_FLEET: tuple[tuple[VehicleMaker, float, float], ...] = (
    # maker, length it needs, share
    (add_car, 5.6, 0.66),
    (add_truck, 10.5, 0.10),
    (add_bus, 13.5, 0.07),
    (add_trailer, 12.0, 0.04),
    (add_motorcycle, 3.0, 0.06),
    (add_bicycle, 2.6, 0.07),
)


def draw_vehicle(rng: np.random.Generator) -> tuple[VehicleMaker, float]:
    """Draws a kind of vehicle; returns what makes it, and the length that it needs."""
    shares = np.array([share for _, _, share in _FLEET])
    maker, length, _ = _FLEET[int(rng.choice(len(_FLEET), p=shares / shares.sum()))]
    return maker, length
