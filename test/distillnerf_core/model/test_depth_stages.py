import torch

from distillnerf_core.model.coarse_depth import CoarseDepthConfig, CoarseDepthEstimator
from distillnerf_core.model.compositing import render_intervals
from distillnerf_core.model.depth_bins import depth_edges
from distillnerf_core.model.fine_depth import FineDepthConfig, depth_candidates, one_stage_frustum


def test_an_untrained_first_stage_spreads_its_weight_along_the_ray() -> None:
    torch.manual_seed(0)
    estimator = CoarseDepthEstimator(16, CoarseDepthConfig())
    coarse = estimator(torch.zeros(1, 16, 2, 2))
    torch.testing.assert_close(
        coarse.opacity, torch.full((1, 2, 2), 1 - torch.exp(torch.tensor(-1.5)).item()), atol=0.01, rtol=0.0
    )


def test_candidates_keep_their_relative_spacing_within_the_limits() -> None:
    config = FineDepthConfig(offsets=(-2, 2), relative_step=0.05, step_range_m=(0.1, 1.0))
    candidates = depth_candidates(torch.tensor([0.1, 10.0, 100.0]), config)
    torch.testing.assert_close(candidates[0], torch.tensor([0.0, 0.0, 0.1, 0.2, 0.3]))
    torch.testing.assert_close(candidates[1], torch.tensor([9.0, 9.5, 10.0, 10.5, 11.0]))
    torch.testing.assert_close(candidates[2], torch.tensor([98.0, 99.0, 100.0, 101.0, 102.0]))


def test_one_stage_lifting_takes_the_heaviest_intervals_in_order() -> None:
    config = CoarseDepthConfig()
    edges = depth_edges(config.bins)
    density = torch.zeros(1, 1, 1, len(edges) - 1)
    density[..., 30] = 2.0
    density[..., 40] = 5.0
    frustum = one_stage_frustum(render_intervals(density, edges), edges, FineDepthConfig(offsets=(0, 1)))
    midpoints = 0.5 * (edges[1:] + edges[:-1])
    torch.testing.assert_close(frustum.distances_m.flatten(), midpoints[[30, 40]])
    assert frustum.occupancy.max().item() == 1.0
