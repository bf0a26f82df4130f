"""Boxes that limit a question to a part of space, in whatever frame they were given."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.transforms import invert_rigid, transform_points

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """A box along the axes of a frame of its own.

    Attributes:
        lower: Corner with the smallest coordinates, metres, in the box's frame.
        upper: Corner with the largest coordinates.
        ego_from_box: Pose of the box's frame in the ego frame [4 4], metres; None where it is the ego frame.
    """

    lower: Corner
    upper: Corner
    ego_from_box: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (*self.lower, *self.upper)):
            raise QueryError(f"box corners must be finite, got {list(self.lower)} and {list(self.upper)}")
        if not all(low < high for low, high in zip(self.lower, self.upper, strict=True)):
            raise QueryError(
                f"box_min {list(self.lower)} must lie below box_max {list(self.upper)} on every axis, or equal it for "
                "the whole volume"
            )

    def contains(self, points_m: Float[Tensor, "points 3"]) -> Bool[Tensor, " points"]:
        """Says which points of the ego frame lie in the box."""
        if self.ego_from_box is not None:
            # A map may have its origin far away, where single precision is coarse.
            box_from_ego = invert_rigid(torch.from_numpy(self.ego_from_box)).to(points_m.device)
            points_m = transform_points(box_from_ego, points_m.double())
        lower, upper = points_m.new_tensor(self.lower), points_m.new_tensor(self.upper)
        return ((points_m >= lower) & (points_m <= upper)).all(dim=1)

    def bounds_m(self) -> tuple[Corner, Corner]:
        """Returns the corners of the smallest box along the axes of the ego frame that contains this one."""
        if self.ego_from_box is None:
            return self.lower, self.upper
        corners = torch.tensor(list(itertools.product(*zip(self.lower, self.upper, strict=True))), dtype=torch.float64)
        in_ego = transform_points(torch.from_numpy(self.ego_from_box), corners)
        return _corner(in_ego.amin(dim=0)), _corner(in_ego.amax(dim=0))


def box_or_everything(lower: Corner, upper: Corner, ego_from_box: NDArray[np.float64] | None = None) -> Box | None:
    """Returns the box between two corners; None, which stands for the whole volume, where they are equal.

    Raises:
        QueryError: If the corners are not finite or in the wrong order.
    """
    return None if lower == upper else Box(lower, upper, ego_from_box)


def _corner(values: Tensor) -> Corner:
    x, y, z = values.tolist()
    return x, y, z
