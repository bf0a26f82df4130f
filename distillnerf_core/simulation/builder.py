"""Composes objects of a street from parts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.simulation.bend import Bend
from distillnerf_core.simulation.primitives import Material, Primitives, Shape

Color = tuple[float, float, float]
Vector = tuple[float | int, float | int, float | int]


@dataclass(frozen=True)
class Look:
    """Surface of a part.

    Attributes:
        color: RGB in [0, 1].
        material: Kind of texture.
        accent: Second colour of the texture.
        texture: Up to four parameters of the texture.
    """

    color: Color
    material: Material = Material.PLAIN
    accent: Color = (0.5, 0.5, 0.5)
    texture: tuple[float, ...] = ()


@dataclass(frozen=True)
class Pose:
    """Where an object stands on the street at time zero, metres and radians, and how it moves along its heading.

    Before and after the two times of `moving_s`, in seconds, it stands.
    """

    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0
    speed_m_s: float = 0.0
    moving_s: tuple[float, float] = (-math.inf, math.inf)

    def offset(self, forward: float, left: float = 0.0) -> "Pose":
        """Returns the pose shifted in its own frame, moving alike."""
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        x, y = self.x + cos * forward - sin * left, self.y + sin * forward + cos * left
        return Pose(x, y, self.z, self.yaw, self.speed_m_s, self.moving_s)

    def turned(self, angle: float) -> "Pose":
        """Returns a standing pose at the same place with another heading."""
        return Pose(self.x, self.y, self.z, self.yaw + angle)


@dataclass
class StreetBuilder:
    """Collects the parts of all objects of a street.

    Attributes:
        bend: What the plan of the street is laid along; None: it is straight. What moves along the arc of it during the
            drive is left out, since everything moves along straight lines.
        seconds: Length of the drive.
    """

    bend: Bend | None = None
    seconds: float = 0.0
    _rows: list[tuple[float, ...]] = field(default_factory=list)
    _objects: int = 0

    def object(self, class_name: str, pose: Pose) -> "ObjectBuilder":
        """Starts an object of an Occ3D class; its parts are placed relative to the pose, which is one of the plan."""
        self._objects += 1
        rows = self._rows
        if self.bend is not None:
            along = pose.speed_m_s * math.cos(pose.yaw)
            if self.bend.bends_way(pose.x, along, pose.moving_s, self.seconds):
                rows = []
            place = self.bend.place(pose.x, pose.y)
            pose = replace(pose, x=place.x, y=place.y, yaw=pose.yaw + place.heading)
        return ObjectBuilder(rows, CLASS_NAMES.index(class_name), self._objects, pose)

    def build(self) -> Primitives:
        """Returns all parts as primitives on the CPU."""
        table = torch.tensor(self._rows, dtype=torch.float32).reshape(-1, 35)
        whole = table[:, [0, 17, 18, 19]].long()
        return Primitives(
            shape=whole[:, 0],
            center_m=table[:, 1:4],
            rotation=table[:, 4:13].reshape(-1, 3, 3),
            half_size_m=table[:, 13:16],
            taper=table[:, 16],
            velocity_m_s=table[:, 30:33],
            moving_s=table[:, 33:35],
            label=whole[:, 1],
            instance=whole[:, 2],
            material=whole[:, 3],
            color=table[:, 20:23],
            accent=table[:, 23:26],
            texture=table[:, 26:30],
        )


class ObjectBuilder:
    """Adds parts to one object, in the object's frame: x forward, y left, z up, origin on the ground below it.

    Args:
        rows: Table of all parts of the scene, to which one row is appended for each part.
        label: Occ3D class of the object.
        instance: Number of the object.
        pose: Place and heading of the object in the world, metres and radians.
    """

    def __init__(self, rows: list[tuple[float, ...]], label: int, instance: int, pose: Pose) -> None:
        self._rows = rows
        self._label = label
        self._instance = instance
        self._pose = pose
        self._rotation = rotation_matrix(yaw=pose.yaw)

    def box(self, center: Vector, size: Vector, look: Look, *, yaw: float = 0.0, pitch: float = 0.0) -> None:
        """Adds a box of full size (length, width, height)."""
        half = (size[0] / 2, size[1] / 2, size[2] / 2)
        self._add(Shape.BOX, center, rotation_matrix(yaw, pitch), half, 1.0, look)

    def ellipsoid(self, center: Vector, size: Vector, look: Look, *, pitch: float = 0.0) -> None:
        """Adds an ellipsoid of the full diameters `size`."""
        half = (size[0] / 2, size[1] / 2, size[2] / 2)
        self._add(Shape.ELLIPSOID, center, rotation_matrix(pitch=pitch), half, 1.0, look)

    def frustum(
        self, center: Vector, radius: float, height: float, look: Look, *, taper: float = 1.0, pitch: float = 0.0
    ) -> None:
        """Adds an upright round body; `radius` at its bottom, `radius * taper` at its top."""
        self._add(Shape.FRUSTUM, center, rotation_matrix(pitch=pitch), (radius, radius, height / 2), taper, look)

    def wheel(self, center: Vector, radius: float, width: float, look: Look) -> None:
        """Adds a cylinder whose axis points to the left."""
        half = (radius, radius, width / 2)
        self._add(Shape.FRUSTUM, center, rotation_matrix(roll=math.pi / 2), half, 1.0, look)

    def _add(
        self,
        shape: Shape,
        center: Vector,
        rotation: NDArray[np.float64],
        half: Vector,
        taper: float,
        look: Look,
    ) -> None:
        pose = self._pose
        place = self._rotation @ np.asarray(center) + (pose.x, pose.y, pose.z)
        turn = self._rotation @ rotation
        velocity = (pose.speed_m_s * math.cos(pose.yaw), pose.speed_m_s * math.sin(pose.yaw), 0.0)
        texture = (*look.texture, 0.0, 0.0, 0.0, 0.0)[:4]
        numbers: Sequence[float] = (self._label, self._instance, look.material)
        motion = (*velocity, *pose.moving_s)
        row = (shape, *place, *turn.ravel(), *half, taper, *numbers, *look.color, *look.accent, *texture, *motion)
        self._rows.append(tuple(float(value) for value in row))


def rotation_matrix(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """Returns R_z(yaw) R_y(pitch) R_x(roll); positive pitch turns x towards -z."""
    cy, sy = math.cos(yaw), math.sin(yaw)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
