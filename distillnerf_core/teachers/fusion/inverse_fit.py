"""Scale and shift between the inverse depth of a network and measured depth, whatever a part of them says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import FloatArray

_PAIRS = 256
_MOST_POINTS = 4000
_REFINEMENTS = 3
_OUTLIER_MADS = 3.0
_LEAST_SPREAD = 1e-3
_WORTH_A_SHIFT = 0.8
"""A shift is taken where it leaves less than this share of the error that a scale alone leaves."""


@dataclass(frozen=True)
class InverseFit:
    """1 / depth in metres = scale * inverse + shift.

    Attributes:
        scale: Factor, positive.
        shift: Summand, 1/m.
    """

    scale: float
    shift: float

    def apply(self, inverse: NDArray[np.floating]) -> FloatArray:
        """Returns inverse depth in 1/m, which may be negative where the network sees the infinite."""
        return np.asarray(self.scale * inverse.astype(np.float64) + self.shift)


def fit_inverse_depth(inverse: NDArray[np.floating], depth_m: NDArray[np.floating]) -> InverseFit | None:
    """Fits by relative errors, so that near and far count alike, and by what the greater part agrees on.

    Candidates go through pairs of points; that of the least median error is refined by least squares over what lies
    within 3 MAD. A shift must be worth it: fitted to the ground alone, it bends what lies above.

    Args:
        inverse: Inverse depth [n] of the network, up to a scale and perhaps a shift.
        depth_m: Measured depth [n], positive.

    Returns:
        The fit; None with fewer than two points, or where no positive scale fits.
    """
    usable = np.isfinite(inverse) & np.isfinite(depth_m) & (depth_m > 0)
    q, d = inverse[usable].astype(np.float64), depth_m[usable].astype(np.float64)
    if len(q) < 2:
        return None
    chosen = np.random.default_rng(0).permutation(len(q))[:_MOST_POINTS]
    q, d = q[chosen], d[chosen]
    plain = _refined(q, d, _scale_alone(q, d), shifted=False)
    shifted = _refined(q, d, _best_of_pairs(q, d), shifted=True)
    if shifted is None or (plain is not None and _error(q, d, shifted) > _WORTH_A_SHIFT * _error(q, d, plain)):
        return plain
    return shifted


def _scale_alone(q: FloatArray, d: FloatArray) -> InverseFit | None:
    positive = q > 0
    return InverseFit(float(np.median(1.0 / (q[positive] * d[positive]))), 0.0) if positive.any() else None


def _best_of_pairs(q: FloatArray, d: FloatArray) -> InverseFit | None:
    first, second = np.random.default_rng(1).integers(len(q), size=(2, _PAIRS))
    apart = np.abs(q[first] - q[second]) > 1e-9
    first, second = first[apart], second[apart]
    scales = (1.0 / d[first] - 1.0 / d[second]) / (q[first] - q[second])
    fits = [
        InverseFit(float(scale), float(1.0 / d[index] - scale * q[index]))
        for scale, index in zip(scales, first, strict=True)
        if scale > 0
    ]
    return min(fits, key=lambda fit: _error(q, d, fit), default=None)


def _refined(q: FloatArray, d: FloatArray, fit: InverseFit | None, shifted: bool) -> InverseFit | None:
    for _ in range(_REFINEMENTS if fit is not None else 0):
        assert fit is not None
        error = np.abs(fit.apply(q) * d - 1.0)
        near = error <= _OUTLIER_MADS * max(1.4826 * float(np.median(error)), _LEAST_SPREAD)
        columns = np.stack((q * d, d) if shifted else (q * d,), axis=1)[near]
        solution = np.linalg.lstsq(columns, np.ones(int(near.sum())), rcond=None)[0]
        if solution[0] <= 0:
            return None
        fit = InverseFit(float(solution[0]), float(solution[1]) if shifted else 0.0)
    return fit


def _error(q: FloatArray, d: FloatArray, fit: InverseFit) -> float:
    return max(float(np.median(np.abs(fit.apply(q) * d - 1.0))), 0.1 * _LEAST_SPREAD)
