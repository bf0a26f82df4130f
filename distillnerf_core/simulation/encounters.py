"""Road users who meet the vehicle: those who cross its street, and those who step out before it."""

from dataclasses import replace

import numpy as np

from distillnerf_core.simulation.builder import StreetBuilder
from distillnerf_core.simulation.course import STRAIGHT
from distillnerf_core.simulation.cross_traffic import add_cross_traffic, add_waiting_vehicles
from distillnerf_core.simulation.ego_path import EgoPath
from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.palette import between
from distillnerf_core.simulation.right_of_way import RightOfWay
from distillnerf_core.simulation.stepping_out import add_people_stepping_out
from distillnerf_core.simulation.style import StreetStyle

_EGO_MARGIN_M = 3.0
"""Distance that others keep from the vehicle."""
_PARKING_M = 2.3


def make_place(rng: np.random.Generator, layout: StreetLayout, style: StreetStyle) -> StreetLayout:
    """Returns a plan with what encounters of a style need: a crossing ahead of the vehicle, and a parking lane."""
    if style.occluded and not layout.parking:
        layout = replace(layout, parking=_PARKING_M)
    if style.cross_traffic and layout.crossing_x is not None:
        ahead = between(rng, 14.0, 45.0 + 0.4 * layout.extension_m)
        layout = replace(layout, crossing_x=ahead, crossing_half=max(4.5, layout.crossing_half), busy_crossing=True)
    return layout


def add_encounters(
    street: StreetBuilder, rng: np.random.Generator, layout: StreetLayout, path: EgoPath, style: StreetStyle
) -> RightOfWay | None:
    """Adds road users who go before others, and those who wait at the crossing for all.

    Args:
        street: collects the parts.
        rng: source of randomness.
        layout: plan of the street.
        path: motion of the vehicle, which goes before everybody.
        style: which encounters there are.

    Returns:
        Who has the right of way; None where all keep to their lanes, and nothing is added.
    """
    if path.course == STRAIGHT and not style.cross_traffic and not style.occluded:
        return None
    room = RightOfWay(style.seconds)
    room.reserve_path(path, _EGO_MARGIN_M)
    if style.occluded:
        add_people_stepping_out(street, rng, layout, path, room, style.occluded)
    if layout.crossing_x is not None:
        add_cross_traffic(street, rng, layout, layout.crossing_x, room, style.cross_traffic)
        add_waiting_vehicles(street, rng, layout, layout.crossing_x, room)
    return room
