"""Motion of the vehicle that carries the cameras."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.course import STRAIGHT, Course

SWAY_LENGTH_M = 5.0
"""Distance along the street in which the phase of the vehicle's sway advances by one radian."""


@dataclass(frozen=True)
class EgoPath:
    """Motion of the vehicle: constant speed along its course, swaying a little around the middle as drivers do.

    Attributes:
        y: Where the course starts across the street, metres, world frame; at x = 0 and time zero, along +x.
        speed_m_s: Speed along the course.
        sway_m: Amplitude of the sway.
        phase: Phase of the sway at time zero, radians.
        course: The way.
    """

    y: float
    speed_m_s: float
    sway_m: float
    phase: float
    course: Course = STRAIGHT

    def pose(self, seconds: float) -> Float[Tensor, "4 4"]:
        """Returns ego_to_world at a time after the start, float64."""
        way = self.speed_m_s * seconds
        place, aside = self.course.place(way), self.sway_m * math.sin(way / SWAY_LENGTH_M + self.phase)
        yaw = self._yaw(way)
        cos, sin = math.cos(yaw), math.sin(yaw)
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[:2, :2] = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
        matrix[0, 3] = place.x - aside * math.sin(place.heading)
        matrix[1, 3] = self.y + place.y + aside * math.cos(place.heading)
        return matrix

    def yaw_rate(self, seconds: float) -> float:
        """Returns the change of the heading, radians per second."""
        way, step = self.speed_m_s * seconds, 0.01
        return self.speed_m_s * (self._yaw(way + step) - self._yaw(way - step)) / (2 * step)

    def _yaw(self, way: float) -> float:
        place, phase = self.course.place(way), way / SWAY_LENGTH_M + self.phase
        ahead = 1.0 - place.curvature * self.sway_m * math.sin(phase)
        return place.heading + math.atan(self.sway_m / SWAY_LENGTH_M * math.cos(phase) / ahead)
