"""The alignment undoes a smooth wrong scale, whatever part of the image is measured."""

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.teachers.fusion.mono_depth import FARTHEST_M, align_depth

HEIGHT, WIDTH = 120, 200


def _truth() -> NDArray[np.float64]:
    v, u = np.meshgrid(np.linspace(0, 1, HEIGHT), np.linspace(0, 1, WIDTH), indexing="ij")
    depth = 5.0 + 40.0 * (1 - v)
    depth[30:70, 60:90] = 8.0  # an object with sharp edges
    assert u.shape == depth.shape
    return depth


def _inverse(depth_m: NDArray[np.float64]) -> NDArray[np.float32]:
    return (1.0 / depth_m).astype(np.float32)


def _wrong_scale() -> NDArray[np.float64]:
    v, u = np.meshgrid(np.linspace(0, 1, HEIGHT), np.linspace(0, 1, WIDTH), indexing="ij")
    return np.exp(0.4 + 0.3 * np.sin(3 * u) + 0.2 * v)


def _measured(truth: NDArray[np.float64], share: float = 0.05) -> NDArray[np.float64]:
    measured = np.where(np.random.default_rng(0).random(truth.shape) < share, truth, np.nan)
    measured[:40] = np.nan  # above the LiDAR
    return measured


def test_a_smooth_wrong_scale_is_recovered() -> None:
    truth = _truth()
    aligned = align_depth(_inverse(truth * _wrong_scale()), _measured(truth), np.ones_like(truth))
    error = np.abs(aligned.z_depth_m / truth - 1)
    assert error[40:].mean() < 0.01
    assert error[:40].mean() < 0.06  # with the nearest calibrated scale
    before = np.abs(_wrong_scale() / np.exp(np.median(np.log(_wrong_scale()))) - 1)
    assert error.mean() < 0.3 * before.mean()
    assert not np.isnan(aligned.z_depth_m).any()


def test_outliers_do_not_count() -> None:
    truth = _truth()
    measured = _measured(truth)
    wrong = np.random.default_rng(1).random(truth.shape) < 0.1
    measured[wrong] *= 3.0
    aligned = align_depth(_inverse(truth * _wrong_scale()), measured, np.ones_like(truth))
    assert np.abs(aligned.z_depth_m / truth - 1)[40:].mean() < 0.02


def test_the_distance_to_the_measurements_is_known() -> None:
    truth = _truth()
    aligned = align_depth(_inverse(truth), _measured(truth, 1.0), np.ones_like(truth))
    np.testing.assert_allclose(aligned.distance_px[:, 10], np.maximum(0, 40 - np.arange(HEIGHT)), atol=1e-4)


def test_without_measurements_the_network_is_left_alone() -> None:
    inverse = _inverse(_truth())
    nothing = np.full(inverse.shape, np.nan)
    aligned = align_depth(inverse, nothing, np.ones_like(inverse))
    np.testing.assert_allclose(aligned.z_depth_m, _truth(), rtol=1e-5)
    assert np.isinf(aligned.distance_px).all()
    without_scale = align_depth(inverse, nothing, np.ones_like(inverse), metric=False)
    assert np.isnan(without_scale.z_depth_m).all()


def test_inverse_depth_without_scale_and_shift_becomes_metric() -> None:
    """What a network that is not metric gives: 8 / depth + 0.4, and less than nothing for the sky."""
    truth = _truth()
    inverse = 8.0 * _inverse(truth) + np.float32(0.4)
    inverse[:5] = 0.3
    aligned = align_depth(inverse, _measured(truth), np.ones_like(truth), metric=False)
    np.testing.assert_allclose(aligned.z_depth_m[5:], truth[5:], rtol=1e-3)
    np.testing.assert_allclose(aligned.z_depth_m[:5], FARTHEST_M, rtol=1e-2)
    assert np.abs(aligned.log_residual).max() < 1e-2
