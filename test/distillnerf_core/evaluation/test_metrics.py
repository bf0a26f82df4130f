import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from distillnerf_core.evaluation.metrics import (
    average_precision,
    depth_errors,
    occupancy_counts,
    psnr,
    ssim,
)


@pytest.mark.parametrize(("limit", "name"), [(80.0, "err_80"), (50.0, "err_50")])
def test_depth_errors_equal_the_reference(golden_dir: Path, limit: float, name: str) -> None:
    golden = np.load(golden_dir / "metrics.npz")
    errors = depth_errors(torch.from_numpy(golden["pred"]), torch.from_numpy(golden["gt"]), max_m=limit)
    found = [
        errors.abs_rel,
        errors.sq_rel,
        errors.rmse,
        errors.rmse_log,
        errors.delta1,
        errors.delta2,
        errors.delta3,
    ]
    np.testing.assert_allclose(found, golden[name], rtol=1e-5)


def test_image_figures_equal_the_reference(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "metrics.npz")
    predicted = torch.from_numpy(golden["img_pred"]).flatten(0, 1)
    truth = torch.from_numpy(golden["img_gt"]).flatten(0, 1)
    assert psnr(predicted, truth) == pytest.approx(float(golden["psnr"]), rel=1e-5)
    assert ssim(predicted, truth) == pytest.approx(float(golden["ssim"]), rel=1e-4)


def test_depth_errors_leave_out_what_cannot_be_compared() -> None:
    truth = torch.tensor([10.0, 20.0, math.nan, math.inf, 100.0, 30.0])
    predicted = torch.tensor([11.0, math.inf, 1.0, 1.0, 1.0, math.nan])
    errors = depth_errors(predicted, truth, max_m=80.0)
    assert errors.count == 2
    assert errors.abs_rel == pytest.approx((0.1 + 3.0) / 2)
    assert errors.delta1 == 0.5


def test_depth_errors_of_nothing_are_nan() -> None:
    errors = depth_errors(torch.ones(3), torch.full((3,), math.nan))
    assert errors.count == 0
    assert math.isnan(errors.abs_rel)


def test_psnr_of_equal_images_is_infinite() -> None:
    assert psnr(torch.ones(2, 3), torch.ones(2, 3)) == math.inf


def test_ssim_of_equal_images_is_one() -> None:
    image = torch.rand(1, 3, 12, 12)
    assert ssim(image, image) == pytest.approx(1.0)


def test_occupancy_counts_equal_brute_force() -> None:
    generator = torch.Generator().manual_seed(0)
    predicted = torch.randint(0, 19, (6, 5, 4), generator=generator).to(torch.uint8)
    predicted[predicted == 18] = 255
    truth = torch.randint(0, 16, (6, 5, 4), generator=generator).to(torch.uint8)
    truth[torch.rand(truth.shape, generator=generator) < 0.4] = 17
    truth[0, 0] = 255
    mask = torch.rand(truth.shape, generator=generator) < 0.8
    counts = occupancy_counts(predicted, truth, mask)
    compared = [
        (int(p), int(t))
        for p, t, m in zip(predicted.flatten(), truth.flatten(), mask.flatten(), strict=True)
        if m and t != 255
    ]
    for label, iou in enumerate(counts.class_iou()):
        both = sum(p == label and t == label for p, t in compared)
        either = sum(label in (p, t) for p, t in compared)
        if any(t == label for _, t in compared):
            assert float(iou) == pytest.approx(both / either)
        else:
            assert math.isnan(float(iou))
    occupied = [(p < 17, t < 17) for p, t in compared]
    assert counts.iou() == pytest.approx(sum(p and t for p, t in occupied) / sum(p or t for p, t in occupied))
    assert math.isnan(float(counts.class_iou()[16]))
    present = [float(iou) for iou in counts.class_iou() if not math.isnan(float(iou))]
    assert counts.miou() == pytest.approx(float(np.mean(present)))


def test_occupancy_counts_add_up() -> None:
    a = torch.tensor([0, 4, 17, 4], dtype=torch.uint8)
    b = torch.tensor([4, 4, 4, 17], dtype=torch.uint8)
    whole = occupancy_counts(torch.cat((a, b)), torch.cat((b, a)))
    parts = occupancy_counts(a, b) + occupancy_counts(b, a)
    assert torch.equal(whole.intersection, parts.intersection)
    assert whole.miou() == parts.miou()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40))
def test_average_precision_equals_scikit_learn(samples: list[tuple[int, bool]]) -> None:
    scores = torch.tensor([float(score) for score, _ in samples])
    positive = torch.tensor([hit for _, hit in samples])
    found = average_precision(scores, positive)
    if positive.any():
        assert found == pytest.approx(average_precision_score(positive.numpy(), scores.numpy()))
    else:
        assert math.isnan(found)
