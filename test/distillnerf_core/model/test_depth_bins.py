from pathlib import Path

import numpy as np
import pytest
import torch

from distillnerf_core.model.depth_bins import DepthBinsConfig, depth_edges


@pytest.mark.parametrize(
    ("name", "step_m", "far_m", "ratio"),
    [("linear_r1", 0.2, 50.0, 0.999), ("param_r1", 0.2, 120.0, 0.8), ("param_r2", 0.4, 120.0, 0.8)],
)
def test_contracted_edges_match_the_reference_network(
    golden_dir: Path, name: str, step_m: float, far_m: float, ratio: float
) -> None:
    golden = np.load(golden_dir / "depth_bins.npz")
    config = DepthBinsConfig(spacing="contracted", near_m=0.1, far_m=far_m, inner_m=50.0, step_m=step_m, ratio=ratio)
    edges = depth_edges(config)
    assert len(edges) - 1 == int(golden[f"{name}_D"])
    np.testing.assert_allclose(edges, golden[f"{name}_edges"], rtol=2e-5)


def test_logarithmic_edges_grow_by_a_constant_factor() -> None:
    edges = depth_edges(DepthBinsConfig(near_m=0.5, far_m=128.0, count=8))
    torch.testing.assert_close(edges[1:] / edges[:-1], torch.full((8,), 2.0))
    assert edges[0].item() == pytest.approx(0.5)
