"""Depth of a network for single images, brought to the scale of the LiDAR (section 13.1.4)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import FloatArray
from distillnerf_core.teachers.fusion.inverse_fit import fit_inverse_depth
from distillnerf_core.teachers.placed_camera import Floats

_SIGMAS_PX = (64.0, 32.0, 16.0, 8.0, 4.0, 2.0)
FARTHEST_M = 1000.0
"""Where the inverse depth of a network says the infinite, or less."""
_OUTLIER_MADS = 3.0
_LEAST_WEIGHT = 1e-3


@runtime_checkable
class MonoDepth(Protocol):
    """Depth from one image."""

    @property
    def name(self) -> str:
        """Name of the network and its weights, for the record."""

    @property
    def metric(self) -> bool:
        """Whether its depth is about metric by itself; otherwise it has no scale, and means nothing without LiDAR."""

    def inverse_depth(self, pixels: NDArray[np.uint8], intrinsics: FloatArray) -> Floats:
        """Returns inverse depth [height width] along the optical axis of RGB [height width 3].

        In 1/m where it is metric, else up to a scale and a shift.
        """


@dataclass(frozen=True)
class AlignedDepth:
    """Depth of the network at the scale of the measurements.

    Attributes:
        z_depth_m: Depth [height width] along the optical axis; NaN everywhere if the network has no scale and nothing
            is measured.
        log_residual: Logarithm [height width] of the correction, beyond a scale and a shift of the whole image.
        distance_px: Distance [height width] to the next measured pixel.
    """

    z_depth_m: Floats
    log_residual: Floats
    distance_px: Floats


def align_depth(
    inverse: Floats, measured_m: NDArray[np.floating], weight: NDArray[np.floating], metric: bool = True
) -> AlignedDepth:
    """Brings the depth of a network to agree with measurements.

    First by a scale, and a shift where that is worth it, of the inverse depth of the whole image. Then by a smooth
    factor: the logarithms of the ratios lose outliers beyond 3 MAD and are spread by normalised convolution over a
    pyramid; each finer level counts where it has measurements, the coarser ones elsewhere.

    Args:
        inverse: Inverse depth [height width] of the network.
        measured_m: Measured depth [height width], NaN where there is none.
        weight: Trust [height width] in the measurements.
        metric: Whether the network's depth is metric by itself.
    """
    known = np.isfinite(measured_m)
    fit = fit_inverse_depth(inverse[known], measured_m[known])
    if fit is None:
        nothing = np.zeros_like(inverse)
        depth = 1.0 / np.maximum(inverse, 1.0 / FARTHEST_M) if metric else np.full_like(inverse, np.nan)
        return AlignedDepth(depth.astype(np.float32), nothing, np.full_like(inverse, np.inf))
    depth = 1.0 / np.maximum(fit.apply(inverse), 1.0 / FARTHEST_M)
    residual = np.log(np.where(known, measured_m, 1.0).astype(np.float64) / depth)
    middle = float(np.median(residual[known]))
    spread = float(np.median(np.abs(residual[known] - middle)))
    known &= np.abs(residual - middle) <= _OUTLIER_MADS * max(1.4826 * spread, 1e-3)
    trust = np.where(known, np.maximum(weight, 1e-3), 0.0).astype(np.float64)
    field = _spread_smoothly(np.where(known, residual, 0.0), trust)
    distance = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    aligned = depth * np.exp(field)
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
