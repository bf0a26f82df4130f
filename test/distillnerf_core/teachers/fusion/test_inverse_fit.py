"""Scale and shift are found whatever a part of the points says, and a shift only where it is one."""

import numpy as np
import pytest

from distillnerf_core.teachers.fusion.inverse_fit import fit_inverse_depth

DEPTH = np.random.default_rng(0).uniform(3.0, 60.0, 2000)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.25, 0.0), (3.0, 0.02), (0.01, -0.05)])
@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_scale_and_shift_are_recovered(scale: float, shift: float, wrong: float) -> None:
    inverse = (1.0 / DEPTH - shift) / scale
    measured = np.where(np.random.default_rng(1).random(len(DEPTH)) < wrong, 0.4 * DEPTH, DEPTH)
    fit = fit_inverse_depth(inverse, measured)
    assert fit is not None
    assert fit.scale == pytest.approx(scale, rel=1e-6)
    assert fit.shift == pytest.approx(shift, abs=1e-7)


def test_noise_alone_makes_no_shift() -> None:
    noisy = 2.0 / DEPTH * np.exp(np.random.default_rng(2).normal(0.0, 0.1, len(DEPTH)))
    fit = fit_inverse_depth(noisy, DEPTH)
    assert fit is not None
    assert fit.shift == 0.0
    assert fit.scale == pytest.approx(0.5, rel=0.02)


def test_unknown_points_do_not_count() -> None:
    inverse = 2.0 / DEPTH
    measured = DEPTH.copy()
    inverse[::3], measured[1::3] = np.nan, np.nan
    fit = fit_inverse_depth(inverse, measured)
    assert fit is not None and fit.scale == pytest.approx(0.5)


def test_what_cannot_be_fitted_is_said() -> None:
    assert fit_inverse_depth(np.array([0.1]), np.array([10.0])) is None
    assert fit_inverse_depth(np.zeros(10), np.full(10, 5.0)) is None
    assert fit_inverse_depth(-1.0 / DEPTH[:5], np.full(5, np.nan)) is None
