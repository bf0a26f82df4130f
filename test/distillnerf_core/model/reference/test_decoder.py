from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from distillnerf_core.model.reference import decoder
from distillnerf_core.model.reference.decoder import ReferenceDecoder, StyledConvolution

PREFIX = "model.decoder."


def test_stored_weights_are_those_of_the_recipe(
    golden_dir: Path, seeded_tensors: Callable[..., dict[str, Tensor]]
) -> None:
    stored = load_file(golden_dir / "state_decoder.safetensors")
    seeded = seeded_tensors(PREFIX)
    assert {PREFIX + key for key in seeded} == set(stored)
    assert all(torch.equal(stored[PREFIX + key], tensor) for key, tensor in seeded.items())


@pytest.mark.usefixtures("two_threads")
def test_colors_match_the_reference_network(
    golden_dir: Path, load_official: Callable[..., None], assert_golden: Callable[..., None]
) -> None:
    golden = np.load(golden_dir / "decoder.npz")
    stored = load_file(golden_dir / "state_decoder.safetensors")
    module = ReferenceDecoder()
    load_official(module, {key.removeprefix(PREFIX): value for key, value in stored.items()}, decoder.OFFICIAL_NAMES)
    features = torch.from_numpy(golden["target_2d_features"]).float()[0].permute(0, 3, 1, 2)
    with torch.no_grad():
        assert_golden(module(features), golden["recons"], share=2e-6)


def test_a_style_scales_and_shifts_normalised_groups() -> None:
    torch.manual_seed(0)
    layer = StyledConvolution(6, 3, groups=2)
    x, style = torch.randn(2, 6, 4, 5), torch.randn(3)
    groups = layer.convolution(x).view(2, 2, -1)
    mean = groups.mean(dim=2, keepdim=True)
    variance = groups.var(dim=2, keepdim=True, unbiased=False)
    plain = ((groups - mean) / (variance + 1e-6).sqrt()).view(2, 6, 4, 5)
    scale, shift = (layer.style.weight @ style + layer.style.bias)[:, None, None].split(6)
    expected = scale * plain + shift
    torch.testing.assert_close(layer(x, style), torch.where(expected < 0, 0.2 * expected, expected))
    assert layer.style.bias[:6].tolist() == [1.0] * 6


def test_every_camera_is_decoded_alone_to_twice_the_size() -> None:
    torch.manual_seed(0)
    module = ReferenceDecoder(channels=5, width=32, style_channels=4)
    features = torch.randn(3, 5, 7, 9)
    colors = module(features)
    assert colors.shape == (3, 3, 14, 18)
    torch.testing.assert_close(module(features[2:]), colors[2:])
