"""Which points a camera sees (section 13.1.3)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.teachers.fusion.config import REFERENCE_WIDTH_PX, VisibilityConfig
from distillnerf_core.teachers.placed_camera import Floats, PlacedCamera

_LEVELS_M = (2.5, 3.5, 5.0, 7.0, 10.0, 14.0, 20.0, 40.0, 80.0)


@dataclass(frozen=True)
class Samples:
    """Visible points in an image, at most one for each pixel: the mean of its foremost points.

    Attributes:
        column_px: Columns [n], with fractions.
        row_px: Rows [n], with fractions.
        inverse_depth: Inverse depth [n] along the optical axis, 1/m: linear in columns and rows on a plane.
    """

    column_px: Floats
    row_px: Floats
    inverse_depth: Floats


def visible_samples(camera: PlacedCamera, points_m: NDArray[np.float32], config: VisibilityConfig) -> Samples:
    """Projects points [n 3] of the world, and leaves out what is hidden."""
    column, row, depth, pixel = _inside(camera, points_m)
    nearest = _nearest(camera, depth, pixel)
    hidden = hidden_pixels(nearest, camera.intrinsics[1, 1], config).ravel()
    front = (depth <= nearest.ravel()[pixel] * (1.0 + config.same_pixel)) & ~hidden[pixel]
    return _mean_by_pixel(pixel[front], column[front], row[front], 1.0 / depth[front], nearest.size)


def hidden_behind(
    camera: PlacedCamera, points_m: NDArray[np.float32], depth_m: Floats, config: VisibilityConfig
) -> NDArray[np.bool_]:
    """Tells where points [n 3] of the world lie before a depth image [height width], +inf in the sky, and hide it."""
    _, _, depth, pixel = _inside(camera, points_m)
    surface = _front_surface(_nearest(camera, depth, pixel), camera.intrinsics[1, 1], config)
    return _is_before(surface, depth_m, config)


def hidden_pixels(depth_m: Floats, focal_px: float, config: VisibilityConfig) -> NDArray[np.bool_]:
    """Tells which pixels of a sparse depth image [height width], +inf where empty, lie behind a nearer surface.

    The surface must lie on two opposite sides, left and right or above and below, within the reach: so the ground,
    which is nearer below and farther above, does not hide itself, and what lies beside an object stays. The reach is a
    length on the surface, and grows towards the camera, where the points lie farther apart.
    """
    return np.isfinite(depth_m) & _is_before(_front_surface(depth_m, focal_px, config), depth_m, config)


def _inside(camera: PlacedCamera, points_m: NDArray[np.float32]) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Returns column, row, depth and number of the pixel of the points that lie in the image."""
    column, row, depth = camera.project(points_m)
    inside = (depth > 0.1) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    column, row, depth = column[inside], row[inside], depth[inside]
    return column, row, depth, row.astype(np.int64) * camera.width + column.astype(np.int64)


def _nearest(camera: PlacedCamera, depth_m: Floats, pixel: NDArray[np.int64]) -> Floats:
    nearest = np.full(camera.height * camera.width, np.inf, dtype=np.float32)
    np.minimum.at(nearest, pixel, depth_m)
    return nearest.reshape(camera.height, camera.width)


def _front_surface(depth_m: Floats, focal_px: float, config: VisibilityConfig) -> Floats:
    """Returns the depth of what a sparse depth image stands for, +inf where nothing is."""
    surface = np.full_like(depth_m, np.inf)
    for farthest_m in _LEVELS_M:
        level = np.where(depth_m < farthest_m, depth_m, np.float32(np.inf))
        reach = min(config.gap_m * focal_px / farthest_m, config.most_px * depth_m.shape[1] / REFERENCE_WIDTH_PX)
        surface = np.minimum(surface, _closed(level, max(1, round(reach))))
    return surface


def _is_before(surface_m: Floats, depth_m: Floats, config: VisibilityConfig) -> NDArray[np.bool_]:
    return np.asarray(surface_m < depth_m * (1.0 - config.relative) - config.absolute_m)


def _closed(depth_m: Floats, reach: int) -> Floats:
    """Returns the nearest depth that is reached on two opposite sides, in strips a third as wide as long."""
    width = max(1, reach // 3)
    wide = np.asarray(cv2.erode(depth_m, np.ones((width, width), dtype=np.uint8)), dtype=np.float32)
    left, right = (_nearest_towards(wide, reach, axis=1, end=end) for end in (0, reach))
    above, below = (_nearest_towards(wide, reach, axis=0, end=end) for end in (0, reach))
    return np.minimum(np.maximum(left, right), np.maximum(above, below))


def _nearest_towards(depth_m: Floats, reach: int, axis: int, end: int) -> Floats:
    """Minimum over the pixel and `reach` pixels on one side of it."""
    kernel = np.ones((1, reach + 1) if axis == 1 else (reach + 1, 1), dtype=np.uint8)
    anchor = (end, 0) if axis == 1 else (0, end)
    eroded = cv2.erode(depth_m, kernel, anchor=anchor, borderType=cv2.BORDER_CONSTANT, borderValue=np.inf)
    return np.asarray(eroded, dtype=np.float32)


def _mean_by_pixel(pixel: NDArray[np.int64], column: Floats, row: Floats, inverse: Floats, pixels: int) -> Samples:
    count = np.bincount(pixel, minlength=pixels)
    filled = count > 0
    means = [
        (np.bincount(pixel, weights=values, minlength=pixels)[filled] / count[filled]).astype(np.float32)
        for values in (column, row, inverse)
    ]
    return Samples(*means)
