"""A part of the dense grid of semantic occupancy."""

import math
from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.perception.boxes import Box, Corner
from distillnerf_core.perception.results import SemanticOccupancy

_ROUNDING = 1e-6


@dataclass(frozen=True)
class VoxelBlock:
    """Voxels of a box of the ego frame.

    Attributes:
        grid: Placement of the voxels in the ego frame.
        labels: As in :class:`SemanticOccupancy`.
        confidence: As in :class:`SemanticOccupancy`.
    """

    grid: VoxelGrid
    labels: UInt8[Tensor, "x y z"]
    confidence: Float[Tensor, "x y z"]


def crop(occupancy: SemanticOccupancy, box: Box | None) -> VoxelBlock:
    """Cuts out the voxels whose centres lie in the bounds of a box along the axes of the ego frame.

    Args:
        occupancy: The whole volume.
        box: The box; None for everything.

    Raises:
        QueryError: If there is no such voxel.
    """
    grid = occupancy.grid
    if box is None:
        return VoxelBlock(grid, occupancy.labels, occupancy.confidence)
    lower, upper = box.bounds_m()
    first, last = _indices(grid, lower, upper)
    size = (last[0] - first[0] + 1, last[1] - first[1] + 1, last[2] - first[2] + 1)
    if min(size) < 1:
        raise QueryError(
            f"no voxel centre lies between {_text(lower)} and {_text(upper)}: the volume reaches from "
            f"{_text(grid.lower_m)} to {_text(grid.upper_m)} in voxels of {grid.voxel_size_m:g} m"
        )
    x, y, z = (low + grid.voxel_size_m * start for low, start in zip(grid.lower_m, first, strict=True))
    part = tuple(slice(start, end + 1) for start, end in zip(first, last, strict=True))
    return VoxelBlock(VoxelGrid((x, y, z), grid.voxel_size_m, size), occupancy.labels[part], occupancy.confidence[part])


def _indices(grid: VoxelGrid, lower: Corner, upper: Corner) -> tuple[list[int], list[int]]:
    """Finds the first and the last voxel of each axis whose centres lie between two bounds."""
    first, last = [], []
    for axis, count in enumerate(grid.size):
        low, edge = grid.lower_m[axis], grid.voxel_size_m
        first.append(max(0, math.ceil((lower[axis] - low) / edge - 0.5 - _ROUNDING)))
        last.append(min(count - 1, math.floor((upper[axis] - low) / edge - 0.5 + _ROUNDING)))
    return first, last


def _text(corner: Corner) -> str:
    return "[" + ", ".join(f"{value:.3g}" for value in corner) + "]"
