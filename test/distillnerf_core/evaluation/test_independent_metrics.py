"""Image and depth figures against scikit-image and torchmetrics, where these are installed."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.evaluation.metrics import depth_errors, psnr, ssim


def random_images(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(2, 3, 19, 26, generator=generator)
    truth = torch.nn.functional.avg_pool2d(truth, 3, stride=1, padding=1)
    return truth + 0.05 * torch.randn(truth.shape, generator=generator), truth


def test_images_equal_scikit_image() -> None:
    metrics: Any = pytest.importorskip("skimage.metrics")
    predicted, truth = random_images(0)
    pair = truth.double().numpy(), predicted.double().numpy()
    expected = np.mean(
        [
            metrics.structural_similarity(true, guess, channel_axis=0, data_range=1.0)
            for true, guess in zip(*pair, strict=True)
        ]
    )
    assert ssim(predicted, truth) == pytest.approx(expected, abs=1e-9)
    assert psnr(predicted, truth) == pytest.approx(metrics.peak_signal_noise_ratio(*pair, data_range=1.0), abs=1e-9)


def test_psnr_equals_torchmetrics() -> None:
    image: Any = pytest.importorskip("torchmetrics.functional.image")
    predicted, truth = random_images(1)
    expected = image.peak_signal_noise_ratio(predicted, truth, data_range=1.0)
    assert psnr(predicted, truth) == pytest.approx(float(expected), abs=1e-4)


def test_root_mean_squares_of_depth_equal_torchmetrics() -> None:
    regression: Any = pytest.importorskip("torchmetrics.functional.regression")
    generator = torch.Generator().manual_seed(2)
    truth, predicted = 1.0 + 90.0 * torch.rand(2, 500, generator=generator)
    found = depth_errors(predicted, truth)
    kept, clipped = truth[truth < 80], predicted[truth < 80].clamp(1e-3, 80)
    rmse = regression.mean_squared_error(clipped, kept, squared=False)
    log = regression.mean_squared_error(clipped.log(), kept.log(), squared=False)
    absolute = regression.mean_absolute_percentage_error(clipped, kept)
    assert found.rmse == pytest.approx(float(rmse), 1e-5)
    assert found.rmse_log == pytest.approx(float(log), 1e-5)
    assert found.abs_rel == pytest.approx(float(absolute), 1e-5)


@given(factor=st.floats(1.01, 1.24), seed=st.integers(0, 100))
def test_depths_too_large_by_a_factor_have_closed_errors(factor: float, seed: int) -> None:
    truth = 1.0 + 40.0 * torch.rand(50, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = depth_errors(factor * truth, truth)
    assert found.abs_rel == pytest.approx(factor - 1)
    assert found.sq_rel == pytest.approx((factor - 1) ** 2 * float(truth.mean()))
    assert found.rmse == pytest.approx((factor - 1) * float(truth.square().mean().sqrt()))
    assert found.rmse_log == pytest.approx(float(np.log(factor)))
    assert (found.delta1, found.delta2, found.delta3) == (1.0, 1.0, 1.0)
