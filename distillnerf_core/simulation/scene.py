"""A whole simulated street: solids, road, light and the path of the vehicle."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from distillnerf_core.simulation.bend import Bend, sample_bend
from distillnerf_core.simulation.builder import StreetBuilder
from distillnerf_core.simulation.ego_path import EgoPath
from distillnerf_core.simulation.encounters import add_encounters, make_place
from distillnerf_core.simulation.ground import add_ground
from distillnerf_core.simulation.layout import StreetLayout, in_city, sample_layout
from distillnerf_core.simulation.light import Light, at_dusk, sample_light
from distillnerf_core.simulation.manoeuvres import DrivePlan, plan_drive
from distillnerf_core.simulation.palette import between
from distillnerf_core.simulation.primitives import Primitives
from distillnerf_core.simulation.roadside import add_roadside
from distillnerf_core.simulation.style import StreetStyle
from distillnerf_core.simulation.traffic import add_traffic

_BEND_STREAM = 1
"""Random numbers of their own leave all else of a street as it is."""


@dataclass(frozen=True)
class StreetScene:
    """A simulated street at all times.

    Attributes:
        seed: Number that the scene was drawn from.
        layout: Plan of the street, straight even where `path.bend` lays it along an arc.
        primitives: All solids at time zero, with their velocities. The road itself is the plane z = 0.
        light: Sun and sky.
        path: Motion of the vehicle.
        road_tone: Brightness of the asphalt.
        wetness: How much water stands on the asphalt, 0 to 1.
    """

    seed: int
    layout: StreetLayout
    primitives: Primitives
    light: Light
    path: EgoPath
    road_tone: float
    wetness: float = 0.0

    def to(self, device: torch.device | str) -> "StreetScene":
        """Returns the scene with its solids on a device."""
        return replace(self, primitives=self.primitives.to(device))


def sample_scene(seed: int, style: StreetStyle | None = None) -> StreetScene:
    """Draws a street; the same seed and style give the same street on every machine.

    Args:
        seed: Number of the street.
        style: How it is made; by default as the shipped figures were measured.
    """
    style = style or StreetStyle()
    rng = np.random.default_rng(seed)
    layout = in_city(sample_layout(rng, style.crossing), style.city)
    lane = int(rng.integers(layout.lanes))
    speed = between(rng, style.slowest_m_s, style.fastest_m_s) if rng.random() < style.driving else 0.0
    layout = make_place(rng, replace(layout, extension_m=speed * style.seconds), style)
    path = EgoPath(
        y=layout.side * layout.lane_y(lane) + 0.5 * between(rng, -0.4, 0.4),
        speed_m_s=speed,
        sway_m=float(np.clip(rng.normal(0.0, 0.12), -0.2, 0.2)),
        phase=float(rng.normal(0.0, 2.0)),
    )
    plan = plan_drive(rng, DrivePlan(layout, (lane,), path), style.manoeuvre, style.seconds)
    layout, path = plan.layout, plan.path
    bend = _bend(seed, layout, style)
    if bend is not None:
        layout = replace(layout, crossing_x=None)
    street = StreetBuilder(bend, style.seconds)
    add_ground(street, rng, layout)
    add_roadside(street, rng, layout)
    room = add_encounters(street, rng, layout, path, style)
    add_traffic(street, rng, layout, plan.lanes, path.speed_m_s, style.seconds, room)
    path = replace(path, bend=bend)
    return StreetScene(seed, layout, street.build(), _light(rng, style), path, between(rng, 0.26, 0.42), style.wetness)


def _bend(seed: int, layout: StreetLayout, style: StreetStyle) -> Bend | None:
    """Draws whether and how a street bends; one whose crossing the drive needs does not."""
    rng = np.random.default_rng((seed, _BEND_STREAM))
    if layout.busy_crossing or rng.random() >= style.bending:
        return None
    return sample_bend(rng)


def _light(rng: np.random.Generator, style: StreetStyle) -> Light:
    light = sample_light(rng)
    return at_dusk(light) if style.daytime == "dusk" else light
