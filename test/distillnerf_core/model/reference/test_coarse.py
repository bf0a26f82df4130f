from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from distillnerf_core.model.depth_bins import DepthBinsConfig
from distillnerf_core.model.reference.coarse import CoarseDepthStage, CoarseEstimate

LINEAR = DepthBinsConfig(spacing="contracted", near_m=0.1, far_m=50.0, inner_m=50.0, step_m=0.2, ratio=0.999)


def test_features_and_depth_match_the_reference_network(
    golden_dir: Path,
    golden_coarse_stage: CoarseDepthStage,
    golden_coarse: CoarseEstimate,
    assert_golden: Callable[..., None],
) -> None:
    golden = np.load(golden_dir / "coarse_depth_linear.npz")
    assert_golden(golden_coarse.features[:, :, ::3, ::4], golden["monodepthfeat"])
    assert_golden(golden_coarse.distance_m, golden["coarse_depth"])
    rendered = golden_coarse_stage.render(golden_coarse.features)
    assert_golden(rendered.distance_m, golden["coarse_depth"])
    assert_golden(rendered.weights.permute(0, 3, 1, 2)[:, :, (0, 17, 35), ::4], golden["weights_rows_0_17_35"])


def test_every_camera_stands_alone_and_gradients_reach_both_inputs() -> None:
    torch.manual_seed(0)
    stage = CoarseDepthStage(LINEAR).double()
    images = torch.rand(2, 3, 32, 48, dtype=torch.float64)
    prior = torch.randn(2, 128, 32, 48, dtype=torch.float64, requires_grad=True)
    together = stage(images, prior)
    alone = stage(images[1:], prior[1:])
    torch.testing.assert_close(alone.features, together.features[1:])
    torch.testing.assert_close(alone.distance_m, together.distance_m[1:])
    together.distance_m[1].sum().backward()
    assert prior.grad is not None
    assert not prior.grad[0].any()
    assert prior.grad[1].any()


def test_a_ray_has_as_many_densities_as_the_published_variants() -> None:
    parameterized = LINEAR.model_copy(update={"far_m": 120.0, "ratio": 0.8})
    for bins, count in ((LINEAR, 250), (parameterized, 286)):
        head = CoarseDepthStage(bins).density_head[2]
        assert isinstance(head, torch.nn.Conv2d)
        assert head.out_channels == count
