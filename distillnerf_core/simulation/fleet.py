"""Which vehicles there are on a street, and how often."""

import numpy as np

from distillnerf_core.simulation.cities import CITIES, City
from distillnerf_core.simulation.people import add_bicycle, add_motorcycle
from distillnerf_core.simulation.vehicles import VehicleMaker, add_bus, add_car, add_trailer, add_truck

VEHICLE_WIDTH_M = 2.3
"""Room across that a vehicle needs."""
PERSON_M = 0.8
"""Room that a person needs."""
_FLEET: tuple[tuple[VehicleMaker, float], ...] = (
    # maker, length it needs
    (add_car, 5.6),
    (add_truck, 10.5),
    (add_bus, 13.5),
    (add_trailer, 12.0),
    (add_motorcycle, 3.0),
    (add_bicycle, 2.6),
)


def draw_vehicle(rng: np.random.Generator, city: City) -> tuple[VehicleMaker, float]:
    """Draws a kind of vehicle of a part of a city; returns what makes it, and the length that it needs."""
    shares = np.array(CITIES[city].fleet)
    return _FLEET[int(rng.choice(len(_FLEET), p=shares / shares.sum()))]
