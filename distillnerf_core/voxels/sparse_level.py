"""The voxels of one octree level together with what they carry."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.voxels.morton import morton_decode
from distillnerf_core.voxels.neighbours import NeighbourTable


@dataclass(frozen=True)
class SparseLevel:
    """Occupied voxels of one level in Morton order.

    Attributes:
        level: Octree level; the contracted cube has 2^level voxels along each axis.
        keys: Morton codes, ascending and unique.
        features: What each voxel carries.
        neighbours: Table of the convolution of this level with itself.
    """

    level: int
    keys: Int64[Tensor, " voxels"]
    features: Float[Tensor, "voxels channels"]
    neighbours: NeighbourTable

    def __len__(self) -> int:
        """Number of occupied voxels."""
        return len(self.keys)

    @property
    def coordinates(self) -> Int64[Tensor, "voxels 3"]:
        """Integer coordinates of the voxels, each in [0, 2^level)."""
        return morton_decode(self.keys)

    def centers(self) -> Float[Tensor, "voxels 3"]:
        """Centres of the voxels in the contracted cube [-1, 1]^3."""
        width = 2.0 / (1 << self.level)
        return (self.coordinates.to(self.features.dtype) + 0.5) * width - 1.0

    def with_features(self, features: Float[Tensor, "voxels other_channels"]) -> "SparseLevel":
        """Puts other features on the same voxels.

        Args:
            features: One row for each voxel.

        Returns:
            The level with these features.
        """
        return replace(self, features=features)

    def to(self, device: torch.device | str) -> "SparseLevel":
        """Moves the level.

        Args:
            device: Where all tensors shall live.

        Returns:
            The same level on that device.
        """
        return SparseLevel(self.level, self.keys.to(device), self.features.to(device), self.neighbours.to(device))
