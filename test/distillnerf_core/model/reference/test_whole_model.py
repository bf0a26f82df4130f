"""The whole network against its second form in test/oracles.

A sample on the border of a voxel may fall into its neighbour, and the decoder spreads what such a ray sees over its
surroundings; all else is equal.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import published_network as plain
import pytest
import torch
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.model.reference import from_state_dict
from distillnerf_core.model.reference.variants import VARIANTS

CLOSE = 1e-3


@pytest.fixture(scope="module")
def official(seeded_tensors: Callable[[str], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Seeded weights of the variant with most tensors."""
    return seeded_tensors("model.")


@pytest.fixture(scope="module")
def edges(golden_dir: Path) -> dict[str, Tensor]:
    """Depth edges of the published network."""
    with np.load(golden_dir / "depth_bins.npz") as archive:
        return {name: torch.from_numpy(archive[f"{name}_r1_edges"]) for name in ("linear", "param")}


@pytest.mark.parametrize("name", ["reference-linear", "reference-parameterized", "reference-clip"])
def test_the_whole_network_gives_the_same_pixels(
    name: str,
    golden_inputs: dict[str, Tensor],
    golden_rig: CameraRig,
    official: dict[str, Tensor],
    edges: dict[str, Tensor],
    two_threads: None,
) -> None:
    config, size = VARIANTS[name], (golden_rig.height, golden_rig.width)
    bins = edges["linear" if config.ratio > 0.9 else "param"]
    weights = _fitted(official, config.feature_head, len(bins) - 1)
    predictor = from_state_dict(weights, name, input_size=size, rig_frame="field")
    grid = predictor.config.render_size
    with torch.no_grad():
        field = predictor.encode(golden_inputs["imgs"][0], golden_rig, golden_inputs["depthanything_feat"])
        views = predictor.render(field, golden_rig.resized(*grid))
        space = plain.Space(config.z_inner_m, config.ratio, config.far_m, bins)
        features, distance = plain.render(
            plain.encode(weights, space, golden_inputs, config.feature_head), golden_inputs, *grid
        )
        expected = features if config.feature_head else plain.colors(weights, features)
    found = views.language if config.feature_head else views.rgb
    assert found is not None
    assert _share(found, expected) >= 0.99
    assert _share(views.ray_distance_m[:, None] / distance[:, None], torch.ones_like(distance[:, None])) >= 0.99
    assert float(expected.std()) > 10 * CLOSE


def _share(found: Tensor, expected: Tensor) -> float:
    """Share of pixels that agree in all channels."""
    return float(((found - expected).abs() <= CLOSE).all(dim=1).float().mean())


def _fitted(official: dict[str, Tensor], feature_head: bool, bins: int) -> dict[str, Tensor]:
    """Weights of another variant: without the feature head, and with as many depth intervals."""
    kept = {key: value for key, value in official.items() if feature_head or not key.startswith("projector.")}
    for key in ("weight", "bias"):
        name = f"coarse_monodepth_estimator.depthnet.2.{key}"
        kept[name] = torch.cat((kept[name], kept[name]))[:bins]
    return kept
