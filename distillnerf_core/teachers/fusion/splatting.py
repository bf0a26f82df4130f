"""Views from elsewhere: distances carried over point by point, colours looked up where they came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.teachers.placed_camera import Floats, PlacedCamera

_AGREEMENT_M = 0.1
_SKY_M = 1e4
_OUTSIDE = np.float32(-9.0)
_REMAP_LIMIT = 32_000


@dataclass(frozen=True)
class SourceView:
    """A view that others are made of.

    Attributes:
        camera: Its camera.
        pixels: RGB [height width 3].
        ray_distance_m: Distance [height width] along unit rays; NaN where it is not to be used.
        sky: Sky [height width] whose colour may be used.
        confidence: Trust [height width] in the distance.
    """

    camera: PlacedCamera
    pixels: NDArray[np.uint8]
    ray_distance_m: Floats
    sky: NDArray[np.bool_]
    confidence: Floats


@dataclass(frozen=True)
class SplattedView:
    """A view from elsewhere.

    Attributes:
        pixels: RGB [height width 3], 0 in holes.
        ray_distance_m: Distance [height width] along unit rays; NaN in holes and in the sky.
        sky: Whether [height width] sky is seen.
        confidence: Trust [height width] of the source.
    """

    pixels: NDArray[np.uint8]
    ray_distance_m: Floats
    sky: NDArray[np.bool_]
    confidence: Floats


def splat(camera: PlacedCamera, sources: Sequence[SourceView], agreement: float) -> SplattedView:
    """Shows what sources know, from another camera at the same time (section 13.1.7).

    Every source pixel covers 2 x 2 pixels, the nearest wins. The colour is not carried along, which would shift it by
    up to half a pixel, but read between the pixels of the first source that sees the surface at the same distance.
    What no source covers is a hole, unless the first source sees sky in this direction.

    Args:
        camera: Where the view is taken from.
        sources: The sources, the preferred first.
        agreement: Relative difference of distances up to which a source shows the same surface.
    """
    nearest = _nearest_distance(camera, sources)
    covered = np.isfinite(nearest)
    points = camera.points(np.where(covered, nearest, 1.0).astype(np.float32))
    pixels = np.zeros((camera.height, camera.width, 3), dtype=np.uint8)
    confidence = np.zeros((camera.height, camera.width), dtype=np.float32)
    open_pixels = covered.copy()
    for source in sources:
        rows, columns = np.nonzero(open_pixels)
        if len(rows) == 0:
            break
        color, trust, agrees = _look_up(source, points[rows, columns], agreement)
        rows, columns = rows[agrees], columns[agrees]
        pixels[rows, columns], confidence[rows, columns] = color[agrees], trust[agrees]
        open_pixels[rows, columns] = False
    distance = np.where(covered & ~open_pixels, nearest, np.nan).astype(np.float32)
    sky, sky_pixels, sky_trust = _same_sky(camera, sources[0])
    sky &= ~covered
    pixels[sky], confidence[sky] = sky_pixels[sky], sky_trust[sky]
    return SplattedView(pixels, distance, sky, confidence)


def _nearest_distance(camera: PlacedCamera, sources: Sequence[SourceView]) -> Floats:
    """Distance along the unit rays of the nearest splat, +inf where there is none."""
    height, width = camera.height, camera.width
    nearest = np.full(height * width, np.inf, dtype=np.float32)
    for source in sources:
        known = ~np.isnan(source.ray_distance_m)
        points = source.camera.points(source.ray_distance_m)[known]
        column, row, depth = camera.project(points)
        left, top = np.floor(column - 0.5), np.floor(row - 0.5)
        shown = (depth > 0.1) & (left >= -1) & (left < width) & (top >= -1) & (top < height)
        left, top = left[shown].astype(np.int64), top[shown].astype(np.int64)
        for across, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
            x, y = left + across, top + down
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            np.minimum.at(nearest, y[inside] * width + x[inside], depth[shown][inside])
    rays = camera.unit_rays() @ camera.camera_to_world[:3, 2].astype(np.float32)
    return np.asarray(nearest.reshape(height, width) / rays, dtype=np.float32)


def _look_up(
    source: SourceView, points_m: NDArray[np.floating], agreement: float
) -> tuple[NDArray[np.uint8], Floats, NDArray[np.bool_]]:
    """Returns colour [n 3], trust [n] and whether [n] the source sees points [n 3] at their distance."""
    x, y = _places(source, points_m)
    far = np.linalg.norm(points_m - source.camera.camera_to_world[:3, 3], axis=1)
    distance = _remap(np.nan_to_num(source.ray_distance_m, nan=-1.0), x, y, cv2.INTER_NEAREST)
    agrees = np.abs(distance - far) <= agreement * far + _AGREEMENT_M
    trust = _remap(source.confidence, x, y, cv2.INTER_NEAREST)
    return _remap(source.pixels, x, y, cv2.INTER_LINEAR), trust, agrees


def _same_sky(camera: PlacedCamera, source: SourceView) -> tuple[NDArray[np.bool_], NDArray[np.uint8], Floats]:
    """Returns where the source sees sky in the directions of the camera, its colour there, and its trust."""
    far = source.camera.camera_to_world[:3, 3] + _SKY_M * camera.unit_rays().reshape(-1, 3).astype(np.float64)
    x, y = _places(source, far)
    shape = (camera.height, camera.width)
    sky = _remap(source.sky.astype(np.uint8), x, y, cv2.INTER_NEAREST).reshape(shape) > 0
    sky &= (x > _OUTSIDE).reshape(shape)
    color = _remap(source.pixels, x, y, cv2.INTER_LINEAR).reshape(*shape, 3)
    return sky, color, _remap(source.confidence, x, y, cv2.INTER_NEAREST).reshape(shape)


def _places(source: SourceView, points_m: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Returns where points [n 3] lie in the source as cv2 counts pixels; outside of it `_OUTSIDE`."""
    column, row, depth = source.camera.project(points_m)
    inside = (depth > 0.1) & (column >= 0) & (row >= 0)
    inside &= (column < source.camera.width) & (row < source.camera.height)
    x, y = (np.where(inside, place - 0.5, _OUTSIDE).astype(np.float32) for place in (column, row))
    return x, y


def _remap(picture: NDArray[Any], x: Floats, y: Floats, how: int) -> NDArray[Any]:
    """Reads a picture at n places; outside it is -1 (0 where there is no sign)."""
    values = np.empty((len(x), *picture.shape[2:]), dtype=picture.dtype)
    for first in range(0, len(x), _REMAP_LIMIT):  # cv2 takes at most 2^15 rows
        part = slice(first, first + _REMAP_LIMIT)
        read = cv2.remap(picture, x[part, None], y[part, None], how, borderMode=cv2.BORDER_REPLICATE)
        values[part] = read[:, 0]
    values[x <= _OUTSIDE] = 0 if picture.dtype == np.uint8 else -1
    return values
