"""Rays through a drive: each has its own time and belongs to an image."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

MEAN_APPEARANCE = -1


@dataclass(frozen=True)
class FieldRays:
    """Rays in the frame of the field.

    Attributes:
        origins_m: Where they start.
        directions: Unit directions.
        times_s: Time since the beginning of the drive.
        images: Row of the appearance table; -1 for the mean of all.
    """

    origins_m: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]
    times_s: Float[Tensor, " rays"]
    images: Int64[Tensor, " rays"]

    def __len__(self) -> int:
        """Returns the number of rays."""
        return len(self.times_s)

    def points_m(self, distances_m: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays samples 3"]:
        """Returns the points at distances along the rays."""
        return self.origins_m[:, None] + distances_m[..., None] * self.directions[:, None]

    def to(self, device: torch.device | str) -> "FieldRays":
        """Returns the rays on a device."""
        return FieldRays(*(values.to(device) for values in vars(self).values()))

    def chunks(self, size: int) -> Iterator["FieldRays"]:
        """Yields at most `size` rays at once."""
        parts = (torch.split(values, size) for values in vars(self).values())
        return (FieldRays(*values) for values in zip(*parts, strict=True))
