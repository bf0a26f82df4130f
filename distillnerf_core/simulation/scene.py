"""A whole simulated street: solids, road, light and the path of the vehicle."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.builder import StreetBuilder
from distillnerf_core.simulation.ground import add_ground
from distillnerf_core.simulation.layout import StreetLayout, sample_layout
from distillnerf_core.simulation.light import Light, at_dusk, sample_light
from distillnerf_core.simulation.palette import between
from distillnerf_core.simulation.primitives import Primitives
from distillnerf_core.simulation.roadside import add_roadside
from distillnerf_core.simulation.style import StreetStyle
from distillnerf_core.simulation.traffic import add_traffic

SWAY_LENGTH_M = 5.0
"""Distance along the street in which the phase of the vehicle's sway advances by one radian."""


@dataclass(frozen=True)
class EgoPath:
    """Motion of the vehicle: constant speed along its lane, swaying a little around the middle as drivers do.

    Attributes:
        y: Middle of the path across the street, metres, world frame.
        speed_m_s: Speed along the street.
        sway_m: Amplitude of the sway.
        phase: Phase of the sway at time zero, where x = 0, radians.
    """

    y: float
    speed_m_s: float
    sway_m: float
    phase: float

    def pose(self, seconds: float) -> Float[Tensor, "4 4"]:
        """Returns ego_to_world at a time after the start, float64."""
        x = self.speed_m_s * seconds
        yaw = self._yaw(x)
        cos, sin = math.cos(yaw), math.sin(yaw)
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[:2, :2] = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
        matrix[0, 3], matrix[1, 3] = x, self.y + self.sway_m * math.sin(x / SWAY_LENGTH_M + self.phase)
        return matrix

    def yaw_rate(self, seconds: float) -> float:
        """Returns the change of the heading, radians per second."""
        x, step = self.speed_m_s * seconds, 0.01
        return self.speed_m_s * (self._yaw(x + step) - self._yaw(x - step)) / (2 * step)

    def _yaw(self, x: float) -> float:
        return math.atan(self.sway_m / SWAY_LENGTH_M * math.cos(x / SWAY_LENGTH_M + self.phase))


@dataclass(frozen=True)
class StreetScene:
    """A simulated street at all times.

    Attributes:
        seed: Number that the scene was drawn from.
        layout: Plan of the street.
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
    layout = sample_layout(rng)
    lane = int(rng.integers(layout.lanes))
    speed = between(rng, style.slowest_m_s, style.fastest_m_s) if rng.random() < style.driving else 0.0
    layout = replace(layout, extension_m=speed * style.seconds)
    path = EgoPath(
        y=layout.side * layout.lane_y(lane) + 0.5 * between(rng, -0.4, 0.4),
        speed_m_s=speed,
        sway_m=float(np.clip(rng.normal(0.0, 0.12), -0.2, 0.2)),
        phase=float(rng.normal(0.0, 2.0)),
    )
    street = StreetBuilder()
    add_ground(street, rng, layout)
    add_roadside(street, rng, layout)
    add_traffic(street, rng, layout, lane, speed, style.seconds)
    return StreetScene(seed, layout, street.build(), _light(rng, style), path, between(rng, 0.26, 0.42), style.wetness)


def _light(rng: np.random.Generator, style: StreetStyle) -> Light:
    light = sample_light(rng)
    return at_dusk(light) if style.daytime == "dusk" else light
