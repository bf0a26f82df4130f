"""What parts of a city look like: their buildings, plants and vehicles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from distillnerf_core.simulation.builder import Color
from distillnerf_core.simulation.palette import WALLS

City = Literal["mixed", "suburb", "downtown", "industrial"]


@dataclass(frozen=True)
class CityLook:
    """Ranges that buildings and plants of a part of a city are drawn from; by default those of a mixed one.

    Attributes:
        length_m: Length of a building along the street.
        depth_m: Its depth.
        crossing_length_m: Length of a building along a crossing street.
        crossing_depth_m: Its depth.
        base_m: Height of the ground floor, which has shops if it is high.
        floors: Least number of floors of a low building, and one more than the greatest, the ground floor included.
        tower_floors: Floors that a tower has besides, likewise.
        walls: Colours of walls.
        facades: Kinds of facades: 0 and 3 windows, 1 bands of windows, 2 glass.
        pitched: Share of the low buildings with a pitched roof.
        hall: Whether buildings are halls with gates and tanks beside.
        built: Share of the plots that have a building where all are low, and how much more where all are towers.
        gap_m: Most room between towers, and most between houses.
        treeless: Share of the sides of streets without a row of trees.
        fleet: Shares of cars, trucks, buses, trailers, motorcycles and bicycles.
    """

    length_m: tuple[float, float] = (8.0, 26.0)
    depth_m: tuple[float, float] = (8.0, 18.0)
    crossing_length_m: tuple[float, float] = (10.0, 24.0)
    crossing_depth_m: float = 12.0
    base_m: tuple[float, float] = (3.4, 4.6)
    floors: tuple[int, int] = (2, 5)
    tower_floors: tuple[int, int] = (3, 16)
    walls: Sequence[Color] = WALLS
    facades: Sequence[int] = (0, 1, 2, 3)
    pitched: float = 0.0
    hall: bool = False
    built: tuple[float, float] = (0.55, 0.45)
    gap_m: tuple[float, float] = (3.0, 14.0)
    treeless: float = 0.25
    fleet: tuple[float, ...] = (0.66, 0.10, 0.07, 0.04, 0.06, 0.07)


_HOUSE_WALLS: tuple[Color, ...] = (
    (0.88, 0.85, 0.78),
    (0.80, 0.72, 0.60),
    (0.62, 0.36, 0.28),
    (0.70, 0.74, 0.72),
    (0.86, 0.82, 0.66),
    (0.60, 0.66, 0.72),
)
_OFFICE_WALLS: tuple[Color, ...] = (
    (0.42, 0.47, 0.53),
    (0.58, 0.60, 0.63),
    (0.72, 0.72, 0.70),
    (0.34, 0.36, 0.40),
    (0.64, 0.56, 0.48),
)
_HALL_WALLS: tuple[Color, ...] = (
    (0.62, 0.65, 0.67),
    (0.46, 0.52, 0.58),
    (0.70, 0.68, 0.60),
    (0.54, 0.36, 0.28),
    (0.40, 0.50, 0.46),
)
CITIES: Mapping[City, CityLook] = {
    "mixed": CityLook(),
    "suburb": CityLook(
        length_m=(9.0, 15.0),
        depth_m=(7.0, 9.5),
        crossing_length_m=(9.0, 15.0),
        crossing_depth_m=8.0,
        base_m=(0.3, 0.6),
        floors=(2, 4),
        walls=_HOUSE_WALLS,
        facades=(0, 3),
        pitched=0.9,
        built=(0.85, 0.0),
        gap_m=(8.0, 12.0),
        treeless=0.05,
        fleet=(0.84, 0.04, 0.03, 0.01, 0.03, 0.05),
    ),
    "downtown": CityLook(
        length_m=(16.0, 34.0),
        depth_m=(14.0, 22.0),
        base_m=(4.2, 5.6),
        floors=(5, 10),
        tower_floors=(4, 24),
        walls=_OFFICE_WALLS,
        facades=(0, 1, 2, 2),
        built=(1.0, 0.0),
        gap_m=(1.5, 1.5),
        treeless=0.35,
        fleet=(0.62, 0.08, 0.14, 0.01, 0.06, 0.09),
    ),
    "industrial": CityLook(
        length_m=(20.0, 46.0),
        depth_m=(16.0, 24.0),
        crossing_length_m=(20.0, 40.0),
        crossing_depth_m=18.0,
        base_m=(4.4, 6.0),
        floors=(2, 4),
        tower_floors=(2, 5),
        walls=_HALL_WALLS,
        facades=(1, 1, 3),
        hall=True,
        built=(0.8, 0.0),
        gap_m=(12.0, 22.0),
        treeless=0.75,
        fleet=(0.42, 0.28, 0.03, 0.20, 0.04, 0.03),
    ),
}
"""Look of each part."""
