"""Boxes that limit a question to a part of space, in whatever frame they were given."""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
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
        box_from_ego: Rigid transform into the box's frame, float64; None where that is the ego frame.
    """

    lower: Corner
    upper: Corner
    box_from_ego: Float[Tensor, "4 4"] | None = None

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
        if self.box_from_ego is not None:
            # A map may have its origin far away, where single precision is coarse.
            points_m = transform_points(self.box_from_ego.to(points_m.device), points_m.double())
        lower, upper = points_m.new_tensor(self.lower), points_m.new_tensor(self.upper)
        return ((points_m >= lower) & (points_m <= upper)).all(dim=1)

    def bounds_m(self) -> tuple[Corner, Corner]:
        """Returns the corners of the smallest box along the axes of the ego frame that contains this one."""
        if self.box_from_ego is None:
            return self.lower, self.upper
        corners = torch.tensor(list(itertools.product(*zip(self.lower, self.upper, strict=True))), dtype=torch.float64)
        in_ego = transform_points(invert_rigid(self.box_from_ego.cpu().double()), corners)
        return _corner(in_ego.amin(dim=0)), _corner(in_ego.amax(dim=0))


def box_or_everything(lower: Corner, upper: Corner, box_from_ego: Float[Tensor, "4 4"] | None = None) -> Box | None:
    """Returns the box between two corners; None, which stands for the whole volume, where they are equal.

    Raises:
        QueryError: If the corners are not finite or in the wrong order.
    """
    return None if lower == upper else Box(lower, upper, box_from_ego)


def _corner(values: Tensor) -> Corner:
    x, y, z = values.tolist()
    return x, y, z
