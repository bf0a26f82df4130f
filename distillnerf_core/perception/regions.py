"""Connected regions of voxels that answer a query."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from distillnerf_core.geometry.grids import VoxelGrid


@dataclass(frozen=True)
class QueryRegion:
    """A connected group of voxels that answer a text.

    Attributes:
        text: What was asked.
        center_m: Centre of the bounding box, ego frame, metres.
        size_m: Edge lengths of the bounding box, metres.
        score: Mean score of the voxels.
        voxel_count: Number of voxels.
    """

    text: str
    center_m: tuple[float, float, float]
    size_m: tuple[float, float, float]
    score: float
    voxel_count: int


def find_regions(
    text: str,
    index: NDArray[np.int64],
    scores: NDArray[np.float32],
    grid: VoxelGrid,
    min_voxels: int = 1,
) -> list[QueryRegion]:
    """Groups voxels that touch by a face, an edge or a corner.

    Args:
        text: What was asked.
        index: Integer positions of the voxels in the grid, [voxels 3].
        scores: Their scores, [voxels].
        grid: The grid.
        min_voxels: Smaller groups are left out.

    Returns:
        The groups, the best mean score first.
    """
    if len(index) == 0:
        return []
    labels = _label(index)
    count = np.bincount(labels)
    score = np.bincount(labels, weights=scores) / count
    low, high = np.full((len(count), 3), np.inf), np.full((len(count), 3), -np.inf)
    np.minimum.at(low, labels, index)
    np.maximum.at(high, labels, index + 1)
    order = np.argsort(-score, kind="stable")
    lower, edge = np.asarray(grid.lower_m), grid.voxel_size_m
    return [
        QueryRegion(
            text,
            _triple(lower + 0.5 * edge * (low[region] + high[region])),
            _triple(edge * (high[region] - low[region])),
            float(score[region]),
            int(count[region]),
        )
        for region in order
        if count[region] >= min_voxels
    ]


def _label(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers the connected component of each voxel, from 0."""
    local = index - index.min(axis=0)
    volume = np.zeros(local.max(axis=0) + 1, dtype=bool)
    volume[tuple(local.T)] = True
    labels, _ = ndimage.label(volume, structure=np.ones((3, 3, 3), dtype=bool))
    found: NDArray[np.int64] = labels[tuple(local.T)].astype(np.int64) - 1
    return found


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
