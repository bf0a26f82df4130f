"""What lies above the LiDAR's returns: sky, or the upper part of what stands there (no depth prior).

A pixel is sky for one of two reasons. In the reach of the beams: no beam came back from it, nor from anything above
it in the image. Above the reach of the beams nothing is measured; there it is sky if it hangs together with sky of
the first kind without an edge between, or has its colours and reaches the upper edge of the image. Both can be wrong:
glass and what is farther than the LiDAR reaches look like sky to it. What is not sky above the beams, on top of a
surface that reaches up to them, is taken for a part of this surface that stands upright.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from distillnerf_core.teachers.placed_camera import Floats

_HORIZON_SLOPE = 0.01
_BINS = 16
_LIKELY = 0.8
_MEASURED_PX = 2.0
_BEAM_GAP_PX = 8.0
_EDGE = 5
"""Difference of neighbouring pixels, of 255, at which sky ends."""


@dataclass(frozen=True)
class Upper:
    """What is decided without returns.

    Attributes:
        sky: Whether [height width] the pixel is sky.
        certainty: Trust [height width] in that, 0 to 1.
        upright_m: Distance along unit rays [height width] of surfaces continued upwards; NaN elsewhere.
        rise_px: How many pixels [height width] above the uppermost measured one; 0 elsewhere.
    """

    sky: NDArray[np.bool_]
    certainty: Floats
    upright_m: Floats
    rise_px: Floats


def judge_upper(
    distance_m: Floats,
    away_px: Floats,
    pixels: NDArray[np.uint8],
    unit_rays: Floats,
    highest_slope: float,
    lever_m: float,
    upward_px: float,
) -> Upper:
    """Decides about the pixels above all returns of their column.

    Args:
        distance_m: Distance [height width] along unit rays, NaN where unknown.
        away_px: Distance [height width] to the next return, in pixels of an image 400 wide; +inf where it is
            far.
        pixels: RGB [height width 3].
        unit_rays: Directions [height width 3] in the world, z up.
        highest_slope: Height over horizontal distance of the uppermost beam; -inf without LiDAR.
        lever_m: Difference in height between the LiDAR and the camera, by which the camera sees the end of the beams
            elsewhere on near surfaces.
        upward_px: How far surfaces are continued upwards.
    """
    known = ~np.isnan(distance_m)
    slope = unit_rays[..., 2] / np.maximum(np.hypot(unit_rays[..., 0], unit_rays[..., 1]), 1e-6)
    measured = away_px <= _MEASURED_PX
    steep = slope > _HORIZON_SLOPE
    upper, empty, free = (
        steep & ~np.logical_or.accumulate(mask, axis=0) for mask in (known, away_px <= _BEAM_GAP_PX, measured)
    )
    lever = lever_m / _uppermost_m(distance_m, unit_rays, known)
    reached = slope < highest_slope - 0.01 - np.where(np.isnan(lever), 0.0, lever)
    seeds = empty & reached
    grown = _grown(pixels, seeds & (_sky_likelihood(pixels, seeds, measured) > 0.5), free)
    likely = _sky_likelihood(pixels, grown, measured)
    sky = grown | _touching_top(upper & ~reached & (likely > _LIKELY))
    certainty = np.where(sky, np.where(reached, 1.0, 0.5 * likely), 0.0).astype(np.float32)
    upright, rise = _continued(distance_m, known, upper & ~sky, unit_rays, upward_px)
    return Upper(sky, certainty, upright, rise)


def _sky_likelihood(pixels: NDArray[np.uint8], sky: NDArray[np.bool_], surface: NDArray[np.bool_]) -> Floats:
    """Share of sky among the pixels of a colour, both kinds counted as equally frequent; 0.5 where nothing is known."""
    if not sky.any() or not surface.any():
        return np.full(sky.shape, 0.5, dtype=np.float32)
    code = tuple((pixels // (256 // _BINS)).astype(np.int64).reshape(-1, 3).T)
    histograms = []
    for kind in (sky, surface):
        histogram = np.zeros((_BINS,) * 3)
        np.add.at(histogram, code, kind.ravel().astype(float))
        histograms.append(gaussian_filter(histogram / kind.sum(), 0.7) + 1e-5)
    share = histograms[0] / (histograms[0] + histograms[1])
    return np.asarray(share[code].reshape(sky.shape), dtype=np.float32)


def _grown(pixels: NDArray[np.uint8], seeds: NDArray[np.bool_], within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns what hangs together with seeds without an edge between, and the pixels on its edge."""
    kernel = np.ones((2, 2), dtype=np.uint8)
    contrast = (cv2.dilate(pixels, kernel) - cv2.erode(pixels, kernel)).max(axis=2)
    regions, count = label(within & (contrast <= _EDGE))
    chosen = np.zeros(count + 1, dtype=bool)
    chosen[np.unique(regions[seeds])] = True
    chosen[0] = False
    grown = cv2.dilate((chosen[regions] | seeds).astype(np.uint8), np.ones((3, 3), dtype=np.uint8)) > 0
    return np.asarray(grown & within)


def _touching_top(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keeps the regions that reach the upper edge of the image."""
    regions, _ = label(mask)
    return np.asarray(np.isin(regions, np.unique(regions[0][mask[0]])) & mask)


def _continued(
    distance_m: Floats, known: NDArray[np.bool_], wanted: NDArray[np.bool_], unit_rays: Floats, upward_px: float
) -> tuple[Floats, Floats]:
    """Continues the uppermost surface of each column upright: with constant horizontal distance."""
    rows = np.arange(known.shape[0])[:, None]
    rise = np.where(wanted & known.any(axis=0), np.argmax(known, axis=0) - rows, 0).astype(np.float32)
    rise[rise > upward_px] = 0.0
    flat = np.hypot(unit_rays[..., 0], unit_rays[..., 1])
    horizontal = _uppermost_m(distance_m, unit_rays, known)
    upright = np.where(rise > 0, horizontal / np.maximum(flat, 1e-3), np.nan)
    return upright.astype(np.float32), np.where(np.isnan(upright), 0.0, rise).astype(np.float32)


def _uppermost_m(distance_m: Floats, unit_rays: Floats, known: NDArray[np.bool_]) -> Floats:
    """Returns the horizontal distance [1 width] of the uppermost surface of each column; NaN where there is none."""
    flat = np.hypot(unit_rays[..., 0], unit_rays[..., 1])
    return np.asarray(np.take_along_axis(distance_m * flat, np.argmax(known, axis=0)[None], axis=0))
