"""Motion of the vehicle that carries the cameras."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.bend import Bend
from distillnerf_core.simulation.course import STRAIGHT, Course, Place

SWAY_LENGTH_M = 5.0
"""Distance along the street in which the phase of the vehicle's sway advances by one radian."""


@dataclass(frozen=True)
class EgoPath:
    """Motion of the vehicle: constant speed along its street, swaying a little around the middle as drivers do.

    Attributes:
        y: Where the course starts across the street, metres, world frame; at x = 0 and time zero, along +x.
        speed_m_s: Speed along the course; in a bend, of the street's middle line.
        sway_m: Amplitude of the sway.
        phase: Phase of the sway at time zero, radians.
        course: The way, on the plan of the street.
        bend: What the street is laid along; None: it is straight.
    """

    y: float
    speed_m_s: float
    sway_m: float
    phase: float
    course: Course = STRAIGHT
    bend: Bend | None = None

    def pose(self, seconds: float) -> Float[Tensor, "4 4"]:
        """Returns ego_to_world at a time after the start, float64."""
        here = self._place(self.speed_m_s * seconds)
        cos, sin = math.cos(here.heading), math.sin(here.heading)
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[:2, :2] = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
        matrix[0, 3], matrix[1, 3] = here.x, here.y
        return matrix

    def yaw_rate(self, seconds: float) -> float:
        """Returns the change of the heading, radians per second."""
        way, step = self.speed_m_s * seconds, 0.01
        return self.speed_m_s * (self._place(way + step).heading - self._place(way - step).heading) / (2 * step)

    def speed(self, seconds: float) -> float:
        """Returns the speed over ground along the middle of the sway, m/s."""
        place = self.course.place(self.speed_m_s * seconds)
        bent = 0.0 if self.bend is None else self.bend.place(place.x, self.y + place.y).curvature
        return self.speed_m_s * (1.0 - bent * (self.y + place.y))

    def _place(self, way: float) -> Place:
        """Returns the place after a way of the course, with the vehicle's heading."""
        place, phase = self.course.place(way), way / SWAY_LENGTH_M + self.phase
        aside, ahead = self.sway_m * math.sin(phase), 1.0 - place.curvature * self.sway_m * math.sin(phase)
        yaw = place.heading + math.atan(self.sway_m / SWAY_LENGTH_M * math.cos(phase) / ahead)
        x, y = place.x - aside * math.sin(place.heading), self.y + place.y + aside * math.cos(place.heading)
        if self.bend is None:
            return Place(x, y, yaw, place.curvature)
        bent = self.bend.place(x, y)
        return Place(bent.x, bent.y, bent.heading + yaw, bent.curvature + place.curvature)
