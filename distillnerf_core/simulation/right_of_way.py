"""Keeps road users out of each other's way."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.simulation.builder import Pose
from distillnerf_core.simulation.ego_path import EgoPath

_STEP_S = 0.1
_LEAST_S = 6.0
"""Streets that are built for a glance are looked at for as long."""
EGO_FRONT_M, EGO_REAR_M, EGO_WIDTH_M = 3.9, 1.0, 1.9
"""How far the vehicle reaches from the origin of its frame."""

Outline = NDArray[np.float64]
"""Rectangles [times 4] along the axes of the world that hold a road user: least x and y, greatest x and y."""


@dataclass
class RightOfWay:
    """Who has the right of way, first come first served.

    Attributes:
        seconds: Length of the drive.
    """

    seconds: float
    _outlines: list[Outline] = field(default_factory=list)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Times at which road users are compared, from just before the drive to its end."""
        return np.arange(-0.5, max(self.seconds, _LEAST_S) + 0.5, _STEP_S)

    def reserve_path(self, path: EgoPath, margin_m: float) -> None:
        """Gives the vehicle the right of way, with a margin before and behind it and an eighth of it aside."""
        front, rear, aside = EGO_FRONT_M + margin_m, EGO_REAR_M + margin_m, EGO_WIDTH_M / 2 + margin_m / 8
        corners = np.array([(front, aside), (front, -aside), (-rear, aside), (-rear, -aside)])
        poses = [path.pose(float(time)).numpy() for time in self.times_s]
        places = np.stack([corners @ pose[:2, :2].T + pose[:2, 3] for pose in poses])
        self._outlines.append(np.concatenate((places.min(axis=1), places.max(axis=1)), axis=1))

    def reserve(self, pose: Pose, length_m: float, width_m: float) -> None:
        """Gives a road user the right of way over those that come later.

        Args:
            pose: its middle and motion.
            length_m: along its heading.
            width_m: across.
        """
        self._outlines.append(self._outline(pose, length_m, width_m))

    def is_free(self, pose: Pose, length_m: float, width_m: float) -> bool:
        """Tells whether a road user touches nobody who has the right of way, as far as upright rectangles tell."""
        own = self._outline(pose, length_m, width_m)
        for other in self._outlines:
            apart = (own[:, :2] > other[:, 2:]).any(axis=1) | (own[:, 2:] < other[:, :2]).any(axis=1)
            if not apart.all():
                return False
        return True

    def _outline(self, pose: Pose, length_m: float, width_m: float) -> Outline:
        cos, sin = abs(math.cos(pose.yaw)), abs(math.sin(pose.yaw))
        half = np.array((cos * length_m + sin * width_m, sin * length_m + cos * width_m)) / 2
        way = (self.times_s.clip(*pose.moving_s) - np.clip(0.0, *pose.moving_s))[:, None] * pose.speed_m_s
        middle = np.array((pose.x, pose.y)) + way * np.array((math.cos(pose.yaw), math.sin(pose.yaw)))
        return np.concatenate((middle - half, middle + half), axis=1)


def has_room(room: RightOfWay | None, pose: Pose, length_m: float, width_m: float) -> bool:
    """Tells whether a road user touches nobody who has the right of way; True where nobody has."""
    return room is None or room.is_free(pose, length_m, width_m)
