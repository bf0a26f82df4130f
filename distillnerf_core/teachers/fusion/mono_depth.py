"""Metric depth of a network for single images, brought to the scale of the LiDAR (section 13.1.4)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import FloatArray
from distillnerf_core.teachers.placed_camera import Floats

_SIGMAS_PX = (64.0, 32.0, 16.0, 8.0, 4.0, 2.0)
_OUTLIER_MADS = 3.0
_LEAST_WEIGHT = 1e-3


@runtime_checkable
class MonoDepth(Protocol):
    """Depth from one image."""

    @property
    def name(self) -> str:
        """Name of the network, for the record."""

    def z_depth(self, pixels: NDArray[np.uint8], intrinsics: FloatArray) -> Floats:
        """Returns depth [height width] along the optical axis, about metric, of RGB [height width 3]."""


@dataclass(frozen=True)
class AlignedDepth:
    """Depth of the network at the scale of the measurements.

    Attributes:
        z_depth_m: Depth [height width] along the optical axis, at every pixel.
        log_residual: Logarithm [height width] of the correction, less that of the whole image.
        distance_px: Distance [height width] to the next measured pixel.
    """

    z_depth_m: Floats
    log_residual: Floats
    distance_px: Floats


def align_depth(mono_m: Floats, measured_m: NDArray[np.floating], weight: NDArray[np.floating]) -> AlignedDepth:
    """Multiplies depth by a smooth field so that it agrees with measurements.

    The logarithms of the ratios lose outliers beyond 3 MAD and are spread by normalised convolution over a pyramid:
    each finer level counts where it has measurements, the coarser ones elsewhere. depth = mono exp(residual).

    Args:
        mono_m: Depth [height width] of the network.
        measured_m: Measured depth [height width], NaN where there is none.
        weight: Trust [height width] in the measurements.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(measured_m.astype(np.float64) / mono_m)
    known = np.isfinite(ratio)
    if not known.any():
        return AlignedDepth(mono_m, np.zeros_like(mono_m), np.full_like(mono_m, np.inf))
    middle = float(np.median(ratio[known]))
    spread = float(np.median(np.abs(ratio[known] - middle)))
    known &= np.abs(ratio - middle) <= _OUTLIER_MADS * max(1.4826 * spread, 1e-3)
    residual = np.where(known, ratio - middle, 0.0)
    field = _spread_smoothly(residual, np.where(known, np.maximum(weight, 1e-3), 0.0).astype(np.float64))
    distance = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    aligned = mono_m * np.exp(middle + field)
    return AlignedDepth(aligned.astype(np.float32), field.astype(np.float32), np.asarray(distance, dtype=np.float32))


def _spread_smoothly(values: FloatArray, weight: FloatArray) -> FloatArray:
    field = np.full(values.shape, np.average(values, weights=weight))
    for sigma in _SIGMAS_PX:
        blurred, share = (
            cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
            for picture in (values * weight, weight)
        )
        field = (blurred + _LEAST_WEIGHT * field) / (share + _LEAST_WEIGHT)
    return np.asarray(field)
