"""The plan of a street: widths, lanes, crossing, and which side traffic keeps to."""

from dataclasses import dataclass, replace

import numpy as np

from distillnerf_core.simulation.cities import City
from distillnerf_core.simulation.palette import between


@dataclass(frozen=True)
class StreetLayout:
    """Plan of a straight street along the world's x axis; all lengths in metres.

    Attributes:
        drives_on_right: Side of the traffic; the vehicle always drives towards +x.
        lanes: Lanes for each direction.
        lane_width: Width of a lane.
        median: Width of a raised strip in the middle, 0 for none.
        parking: Width of the parking lane on each side, 0 for none.
        sidewalk: Width of the sidewalks.
        verge: Width of a grass strip between sidewalk and buildings.
        crossing_x: Centre of a crossing street, None for none.
        crossing_half: Half width of the crossing street.
        urban: 0 for a suburb with trees, 1 for a city with towers.
        density: How many parked and moving things there are, 0 to 1.
        extension_m: How much farther towards +x the street is built than for a glance from its start.
        busy_crossing: Whether the crossing street is made like a street: with lamps and trees, and traffic that keeps
            to its side and out of the way of others.
        city: Part of the city, which decides about buildings, plants and vehicles.
        crossing_extension_m: How much farther the crossing street is built to both sides.
    """

    drives_on_right: bool
    lanes: int
    lane_width: float
    median: float
    parking: float
    sidewalk: float
    verge: float
    crossing_x: float | None
    crossing_half: float
    urban: float
    density: float
    extension_m: float = 0.0
    busy_crossing: bool = False
    crossing_extension_m: float = 0.0
    city: City = "mixed"

    @property
    def side(self) -> float:
        """Sign of y on the vehicle's own side of the street."""
        return -1.0 if self.drives_on_right else 1.0

    @property
    def road_half(self) -> float:
        """Half width from kerb to kerb."""
        return self.median / 2 + self.lanes * self.lane_width + self.parking

    def lane_y(self, lane: int) -> float:
        """Returns the distance of a lane's middle from the street's axis; lane 0 is the innermost."""
        return self.median / 2 + (lane + 0.5) * self.lane_width

    @property
    def parking_y(self) -> float:
        """Distance of the parking lane's middle from the street's axis."""
        return self.road_half - self.parking / 2

    def share_of(self, count: int, low: float, high: float) -> int:
        """Scales a count of things between two places along the street to the street with its extension."""
        return round(count * (1.0 + self.extension_m / (high - low)))

    def near_crossing(self, x: float, margin: float) -> bool:
        """Tells whether x lies on the crossing street or closer than `margin` to it."""
        return self.crossing_x is not None and abs(x - self.crossing_x) < self.crossing_half + margin


def sample_layout(rng: np.random.Generator, crossing: float = 0.5) -> StreetLayout:
    """Draws a street plan.

    Args:
        rng: source of randomness.
        crossing: probability of a crossing street.
    """
    lanes = int(rng.choice([1, 1, 2, 2, 3]))
    median = between(rng, 1.2, 4.0) if lanes > 1 and rng.random() < 0.45 else 0.0
    parking = 2.3 if rng.random() < 0.6 else 0.0
    has_crossing = rng.random() < crossing
    return StreetLayout(
        drives_on_right=bool(rng.random() < 0.5),
        lanes=lanes,
        lane_width=between(rng, 3.1, 3.7),
        median=median,
        parking=parking,
        sidewalk=between(rng, 1.8, 5.0),
        verge=between(rng, 1.0, 9.0) if rng.random() < 0.6 else 0.3,
        crossing_x=between(rng, -25.0, 45.0) if has_crossing else None,
        crossing_half=between(rng, 3.5, 7.5),
        urban=float(rng.random()),
        density=between(rng, 0.25, 1.0),
    )


def in_city(layout: StreetLayout, city: City) -> StreetLayout:
    """Returns a plan as it is in a part of a city.

    In a suburb there is one lane for each direction, and houses stand behind lawns; downtown, wide sidewalks reach the
    towers; where there is industry, wide lanes pass between yards.
    """
    if city == "suburb":
        width, verge = min(layout.sidewalk, 2.4), 4.0 + 0.5 * layout.verge
        calm = replace(layout, lanes=1, median=0.0, sidewalk=width, verge=verge, density=0.7 * layout.density)
        return replace(calm, urban=0.0, city=city)
    if city == "downtown":
        wide = replace(layout, lanes=max(2, layout.lanes), sidewalk=max(3.6, layout.sidewalk), verge=0.3)
        return replace(wide, urban=0.7 + 0.3 * layout.urban, density=0.5 + 0.5 * layout.density, city=city)
    if city == "industrial":
        yard = 3.0 + 0.8 * layout.verge
        return replace(layout, lane_width=layout.lane_width + 0.2, sidewalk=2.0, verge=yard, urban=0.15, city=city)
    return layout
