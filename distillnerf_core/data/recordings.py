"""What a recording of real sensors holds besides images: LiDAR sweeps and labelled boxes."""

import math
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.language.classes import CLASS_NAMES


@dataclass(frozen=True)
class LidarSweep:
    """Points of one LiDAR revolution.

    Attributes:
        points_m: Points in the ego frame at the frame's reference time, metres.
        stamp_ns: Time of the sweep.
        origin_m: Position of the sensor in the same frame.
    """

    points_m: Float[Tensor, "points 3"]
    stamp_ns: int
    origin_m: tuple[float, float, float]


@dataclass(frozen=True)
class LabelledBox:
    """An upright box around an object, in the ego frame at the frame's reference time.

    Attributes:
        label: Category as the recording names it.
        center_m: Middle of the box, metres.
        size_lwh_m: Length (along the heading), width and height, metres.
        yaw: Heading, radians counter-clockwise from the ego's x axis.
    """

    label: str
    center_m: tuple[float, float, float]
    size_lwh_m: tuple[float, float, float]
    yaw: float

    def contains(self, points_m: Float[Tensor, "*batch 3"]) -> Bool[Tensor, "*batch"]:
        """Tells which points lie inside the box."""
        x, y, z = (points_m - points_m.new_tensor(self.center_m)).unbind(-1)
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        length, width, height = (size / 2 for size in self.size_lwh_m)
        along, across = cos * x + sin * y, cos * y - sin * x
        return (along.abs() <= length) & (across.abs() <= width) & (z.abs() <= height)

    @property
    def occ3d_class(self) -> int | None:
        """Class of the Occ3D taxonomy, None where the label has no counterpart there."""
        words = self.label.lower().replace("-", "_").replace(" ", "_")
        if words in CLASS_NAMES:
            return CLASS_NAMES.index(words)
        name = next((name for part, name in _LABEL_PARTS if part in words), None)
        return None if name is None else CLASS_NAMES.index(name)


_LABEL_PARTS = (
    # part of a nuScenes or DDAD category in lower case, class; the first match counts
    ("pedestrian", "pedestrian"),
    ("person", "pedestrian"),
    ("trafficcone", "traffic_cone"),
    ("traffic_cone", "traffic_cone"),
    ("barrier", "barrier"),
    ("bicycle_rack", "others"),
    ("motorcycl", "motorcycle"),
    ("bicycl", "bicycle"),
    ("construction", "construction_vehicle"),
    ("caravan", "trailer"),
    ("trailer", "trailer"),
    ("truck", "truck"),
    ("bus", "bus"),
    ("car", "car"),
)
