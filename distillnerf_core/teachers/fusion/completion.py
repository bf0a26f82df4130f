"""Depth at every pixel from visible points, by planes through the nearest ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from distillnerf_core.teachers.fusion.config import REFERENCE_WIDTH_PX, CompletionConfig
from distillnerf_core.teachers.fusion.visibility import Samples
from distillnerf_core.teachers.placed_camera import Floats

_SLACK = 0.1


@dataclass(frozen=True)
class Completion:
    """Depth at every pixel.

    Attributes:
        depth_m: Depth [height width] along the optical axis; NaN where no point is near.
        distance_px: Distance [height width] to the next point that counts, in pixels of an image 400 wide.
        residual: Relative distance [height width] of the points from the plane through them.
    """

    depth_m: Floats
    distance_px: Floats
    residual: Floats


@dataclass(frozen=True)
class _Neighbours:
    """The nearest points of n pixels: offsets and inverse depths [n k], and their say [n k]."""

    right: Floats
    down: Floats
    inverse: Floats
    say: Floats
    distance: Floats


def complete(samples: Samples, pixels: NDArray[np.uint8], config: CompletionConfig) -> Completion:
    """Fits a plane to the nearest points of every pixel.

    Inverse depth is linear in the image on every plane, so that walls and ground come out exactly. Points of the
    pixel's own colour have more say. Where the points do not lie on a plane, they are parted at the largest step of
    depth, and the side with more say decides alone: nothing floats between two surfaces.

    Args:
        samples: Visible points.
        pixels: RGB [height width 3] of the view.
        config: Settings.
    """
    height, width = pixels.shape[:2]
    blank = np.full((height, width), np.nan, dtype=np.float32)
    if len(samples.inverse_depth) < config.neighbours:
        return Completion(blank, np.full_like(blank, np.inf), np.zeros_like(blank))
    scale = np.float32(width / REFERENCE_WIDTH_PX)
    near, rows, columns = _neighbours(samples, pixels, config, scale)
    inverse, residual = _fit_plane(near, near.say)
    two = residual > config.plane_tolerance
    chosen = near.say.copy()
    chosen[two] = _larger_side(_subset(near, two))
    inverse[two], residual[two] = _fit_plane(_subset(near, two), chosen[two])
    distance = np.where(chosen > 0, near.distance, np.inf).min(axis=1)
    result = [blank.copy(), np.full_like(blank, np.inf), np.zeros_like(blank)]
    for picture, values in zip(result, (1.0 / inverse, distance, residual), strict=True):
        picture[rows, columns] = values
    return Completion(*result)


def _neighbours(
    samples: Samples, pixels: NDArray[np.uint8], config: CompletionConfig, scale: np.float32
) -> tuple[_Neighbours, NDArray[np.int64], NDArray[np.int64]]:
    height, width = pixels.shape[:2]
    tree = cKDTree(np.stack((samples.column_px, samples.row_px), axis=1), balanced_tree=False)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    centers = np.stack((columns.ravel(), rows.ravel()), axis=1) + 0.5
    distance, index = tree.query(centers, k=config.neighbours)
    near = distance[:, 0] <= config.support_px * scale
    distance, index, centers = distance[near].astype(np.float32), index[near], centers[near].astype(np.float32)
    rows, columns = rows.ravel()[near], columns.ravel()[near]
    colors = pixels.astype(np.float32)
    own = colors[samples.row_px.astype(np.int64), samples.column_px.astype(np.int64)]
    difference = np.abs(own[index] - colors[rows, columns][:, None]).mean(axis=2)
    reach = np.maximum(distance.mean(axis=1, keepdims=True), np.float32(0.5))
    say = np.exp(-((distance / reach) ** 2)) * (0.05 + np.exp(-difference / np.float32(config.color_scale)))
    return (
        _Neighbours(
            right=samples.column_px[index] - centers[:, :1],
            down=samples.row_px[index] - centers[:, 1:],
            inverse=samples.inverse_depth[index],
            say=say.astype(np.float32),
            distance=distance / scale,
        ),
        rows,
        columns,
    )


def _fit_plane(near: _Neighbours, say: Floats) -> tuple[Floats, Floats]:
    """Fits inverse = a + b right + c down by weighted least squares; returns a and the relative residual, [n]."""
    total = say.sum(axis=1, keepdims=True)
    weight = say / np.maximum(total, 1e-12)
    mean_x, mean_y, mean_q = ((weight * values).sum(axis=1) for values in (near.right, near.down, near.inverse))
    x, y, q = near.right - mean_x[:, None], near.down - mean_y[:, None], near.inverse - mean_q[:, None]
    ridge = 0.02
    xx, yy = (weight * x * x).sum(axis=1) + ridge, (weight * y * y).sum(axis=1) + ridge
    xy, xq, yq = ((weight * product).sum(axis=1) for product in (x * y, x * q, y * q))
    determinant = xx * yy - xy * xy
    b, c = (yy * xq - xy * yq) / determinant, (xx * yq - xy * xq) / determinant
    residual = np.sqrt((weight * (q - b[:, None] * x - c[:, None] * y) ** 2).sum(axis=1)) / mean_q
    counted = say > 0
    low = np.where(counted, near.inverse, np.inf).min(axis=1) * (1 - _SLACK)
    high = np.where(counted, near.inverse, 0.0).max(axis=1) * (1 + _SLACK)
    return np.clip(mean_q - b * mean_x - c * mean_y, low, high).astype(np.float32), residual.astype(np.float32)


def _larger_side(near: _Neighbours) -> Floats:
    """Parts the neighbours at the largest relative step of depth; returns the say, 0 on the side with less."""
    order = np.argsort(near.inverse, axis=1)
    inverse = np.take_along_axis(near.inverse, order, axis=1)
    say = np.take_along_axis(near.say, order, axis=1)
    step = np.argmax(inverse[:, 1:] / inverse[:, :-1], axis=1)
    upper = np.arange(inverse.shape[1])[None] > step[:, None]
    takes_upper = (say * upper).sum(axis=1) > (say * ~upper).sum(axis=1)
    kept = np.where(upper == takes_upper[:, None], say, 0.0)
    result = np.empty_like(near.say)
    np.put_along_axis(result, order, kept.astype(np.float32), axis=1)
    return result


def _subset(near: _Neighbours, chosen: NDArray[np.bool_]) -> _Neighbours:
    return _Neighbours(*(values[chosen] for values in vars(near).values()))
