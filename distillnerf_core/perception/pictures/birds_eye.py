"""The scene from straight above."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.perception.pictures.colors import BACKGROUND, Image

_RING_M = 10.0
_VEHICLE_M = (4.6, 1.9)
"""Length and width of the drawn ego vehicle."""


def birds_eye(
    grid: VoxelGrid, index: NDArray[np.int64], colors: Image, size: int, known: NDArray[np.bool_] | None = None
) -> Image:
    """Draws the highest occupied voxel of every column; forward is up, left is left.

    Args:
        grid: The grid.
        index: Occupied voxels, [voxels 3].
        colors: RGB of each of them, [voxels 3].
        size: Height of the picture in pixels; the width follows from the grid.
        known: Columns that any camera looks into, drawn lighter, [x y].

    Returns:
        RGB picture with distance rings and the vehicle.
    """
    plan = np.full((*grid.size[:2], 3), BACKGROUND, dtype=np.uint8)
    if known is not None:
        plan[known] = np.asarray(BACKGROUND) + 16
    order = np.argsort(index[:, 2], kind="stable")
    top = index[order]
    light = 0.75 + 0.25 * (top[:, 2:] + 1) / grid.size[2]
    plan[top[:, 0], top[:, 1]] = (colors[order] * light).astype(np.uint8)
    width = round(size * grid.size[1] / grid.size[0])
    picture = cv2.resize(plan[::-1, ::-1], (width, size), interpolation=cv2.INTER_NEAREST)
    _draw_scale(picture, grid)
    return np.asarray(picture, dtype=np.uint8)


def _draw_scale(picture: Image, grid: VoxelGrid) -> None:
    scale = picture.shape[0] / (grid.voxel_size_m * grid.size[0])
    center = round(grid.upper_m[1] * scale), round(grid.upper_m[0] * scale)
    farthest = max(abs(value) for value in (*grid.lower_m[:2], *grid.upper_m[:2]))
    for ring in range(1, int(farthest / _RING_M) + 1):
        cv2.circle(picture, center, round(ring * _RING_M * scale), (72, 78, 90), 1, cv2.LINE_AA)
    half = round(_VEHICLE_M[1] / 2 * scale), round(_VEHICLE_M[0] / 2 * scale)
    corners = (center[0] - half[0], center[1] - half[1]), (center[0] + half[0], center[1] + half[1])
    cv2.rectangle(picture, *corners, (245, 245, 245), -1, cv2.LINE_AA)
    tip = np.array([(0, -half[1] + 2), (-half[0] + 2, 0), (half[0] - 2, 0)]) + center
    cv2.fillConvexPoly(picture, tip.astype(np.int32), (30, 34, 42), cv2.LINE_AA)
