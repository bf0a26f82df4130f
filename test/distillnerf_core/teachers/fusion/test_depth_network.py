"""Depth Anything from a folder: metric or not, at the size of the image, the same as `transformers` computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from distillnerf_core.errors import CheckpointError
from distillnerf_core.teachers.fusion.depth_network import load_depth_network
from distillnerf_core.teachers.fusion.mono_depth import MonoDepth

PIXELS = np.random.default_rng(0).integers(0, 256, (42, 56, 3), dtype=np.uint8)


def tiny(folder: Path, kind: str) -> Any:
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=80,
    )
    model = transformers.DepthAnythingForDepthEstimation(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", ["metric", "relative"])
def test_inverse_depth_is_what_the_network_says(kind: str, tmp_path: Path) -> None:
    model = tiny(tmp_path / kind, kind)
    network = load_depth_network(tmp_path / kind, short_side_px=42)
    assert isinstance(network, MonoDepth)
    assert network.metric == (kind == "metric")
    assert network.name.startswith(f"{kind} sha256:")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    seen = torch.from_numpy((PIXELS / 255.0 - mean) / std).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        predicted = model(pixel_values=seen).predicted_depth[0].numpy()
    expected = 1.0 / np.maximum(predicted, 0.1) if kind == "metric" else predicted
    found = network.inverse_depth(PIXELS, np.eye(3))
    assert expected.std() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_images_of_any_size_are_looked_at(tmp_path: Path) -> None:
    tiny(tmp_path / "net", "metric")
    network = load_depth_network(tmp_path / "net", short_side_px=28)
    found = network.inverse_depth(PIXELS[:37, :50], np.eye(3))
    assert found.shape == (37, 50) and np.isfinite(found).all() and (found > 0).all()


def test_a_missing_or_other_network_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="hf download depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf"):
        load_depth_network(tmp_path / "none", 518)
    transformers.Dinov2Config().save_pretrained(tmp_path / "other")
    with pytest.raises(CheckpointError, match="type 'dinov2', expected depth_anything"):
        load_depth_network(tmp_path / "other", 518)
