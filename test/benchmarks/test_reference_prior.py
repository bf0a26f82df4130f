"""The published setting comes first and changes nothing; the others are measured against it."""

import pytest
import torch

from benchmarks.reference_inputs import seeded_predictor, simulated_frame
from benchmarks.reference_prior import changes, run
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.model.reference.variants import ReferenceConfig


def test_settings_are_measured_beside_the_published_one(mini: ReferenceConfig) -> None:
    predictor, images = seeded_predictor(mini), simulated_frame(mini, 2).images
    with torch.no_grad():
        first, half, small = run(predictor, images, [28, 14], ["bfloat16"], rounds=2)
        exact = predictor.depth_prior(images)
    assert (first.short_side_px, first.precision, first.working_px) == (28, "float32", (28, 42))
    assert (first.feature_change, first.depth_change) == (0.0, 0.0)
    assert (half.short_side_px, half.precision) == (28, "bfloat16")
    assert 0.0 < half.feature_change < 0.05 < small.feature_change
    assert small.working_px == (14, 14)
    # The settings share weights and leave the predictor as it was.
    assert torch.equal(predictor.depth_prior(images), exact)
    with pytest.raises(ConfigurationError, match="14"):
        run(predictor, images, [30], ["float32"])


def test_changes_are_relative() -> None:
    features, distance = torch.tensor([3.0, 4.0]), torch.tensor([10.0, 20.0, 30.0])
    moved = features + torch.tensor([0.0, 1.0]), distance * torch.tensor([1.5, 1.1, 1.0])
    assert changes(*moved, features, distance) == pytest.approx((0.2, 0.1))
