"""Metric voxel grids in the ego frame."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class VoxelGrid:
    """A regular axis-aligned grid.

    Attributes:
        lower_m: Corner with the smallest coordinates, metres, ego frame.
        voxel_size_m: Edge length of a voxel.
        size: Number of voxels along x, y and z.
    """

    lower_m: tuple[float, float, float]
    voxel_size_m: float
    size: tuple[int, int, int]

    @property
    def upper_m(self) -> tuple[float, float, float]:
        """Corner with the largest coordinates, metres."""
        x, y, z = (low + self.voxel_size_m * count for low, count in zip(self.lower_m, self.size, strict=True))
        return x, y, z

    def centers_m(self, device: torch.device | str = "cpu") -> Float[Tensor, "x y z 3"]:
        """Returns the centres of all voxels, metres."""
        axes = [
            low + self.voxel_size_m * (torch.arange(count, device=device, dtype=torch.float32) + 0.5)
            for low, count in zip(self.lower_m, self.size, strict=True)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)

    def indices(self, points_m: Float[Tensor, "points 3"]) -> tuple[Int[Tensor, "points 3"], Bool[Tensor, " points"]]:
        """Returns the voxel of each point and whether it lies inside; indices outside are not clamped."""
        lower = torch.tensor(self.lower_m, device=points_m.device, dtype=points_m.dtype)
        size = torch.tensor(self.size, device=points_m.device)
        index = torch.floor((points_m - lower) / self.voxel_size_m).long()
        return index, ((index >= 0) & (index < size)).all(dim=-1)


OCC3D_GRID = VoxelGrid((-40.0, -40.0, -1.0), 0.4, (200, 200, 16))
