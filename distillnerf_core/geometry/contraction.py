"""Contracted space: linear near the vehicle, compressed beyond (DistillNeRF, section 3.2; per axis)."""

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.configuration import Config


def contract(
    x: Float[Tensor, "*batch"], inner: float | Float[Tensor, " axes"], ratio: float
) -> Float[Tensor, "*batch"]:
    """Maps the real line to (-1, 1): linear inside `inner`, hyperbolic outside.

    s(x) = ratio * x / inner for |x| < inner, else sign(x) (1 - inner (1 - ratio) / |x|).

    Args:
        x: Coordinates in metres.
        inner: Half width of the linear part in metres; a tensor gives one value for each last axis.
        ratio: Share of the contracted interval that the linear part takes.
    """
    magnitude = x.abs()
    outside = 1.0 - inner / magnitude.clamp_min(1e-12) * (1.0 - ratio)
    return torch.where(magnitude < inner, ratio * x / inner, torch.sign(x) * outside)


def expand(s: Float[Tensor, "*batch"], inner: float | Float[Tensor, " axes"], ratio: float) -> Float[Tensor, "*batch"]:
    """Inverts `contract`: maps (-1, 1) back to metres, and the ends to infinity."""
    magnitude = s.abs()
    outside = inner * (1.0 - ratio) / (1.0 - magnitude)
    return torch.where(magnitude < ratio, s * inner / ratio, torch.sign(s) * outside)


class ContractedSpace(Config):
    """A contracted box around the vehicle.

    Attributes:
        inner_m: Half widths of the linear part along x, y, z.
        center_m: Centre of the box in the ego frame.
        ratio: Share of the contracted interval that the linear part takes.
    """

    inner_m: tuple[float, float, float] = (40.96, 40.96, 13.6533333)
    center_m: tuple[float, float, float] = (0.0, 0.0, 2.2)
    ratio: float = 0.8

    def contract(self, points_m: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Maps points in the ego frame, metres, into (-1, 1)^3."""
        return torch.stack([self.contract_axis(x, axis) for axis, x in enumerate(points_m.unbind(-1))], dim=-1)

    def contract_axis(self, x_m: Float[Tensor, "*batch"], axis: int) -> Float[Tensor, "*batch"]:
        """Maps one coordinate (axis 0, 1, 2 for x, y, z) of points, metres, into (-1, 1).

        One axis at a time is many times faster on a CPU than broadcasting over a last dimension of three.
        """
        return contract(x_m - self.center_m[axis], self.inner_m[axis], self.ratio)

    def expand(self, s: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Maps contracted coordinates back to the ego frame, metres."""
        return expand(s, s.new_tensor(self.inner_m), self.ratio) + s.new_tensor(self.center_m)

    def voxel_centers(self, coordinates: torch.Tensor, level: int) -> Float[Tensor, "voxels 3"]:
        """Returns the centres, in metres, of integer voxel coordinates [voxels, 3] at an octree level."""
        return self.expand((coordinates.float() + 0.5) * (2.0 / 2**level) - 1.0)
