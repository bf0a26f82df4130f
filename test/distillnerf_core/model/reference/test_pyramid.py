from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distillnerf_core.model.reference import pyramid
from distillnerf_core.model.reference.pyramid import ImagePyramid


def stage_maps(module: ImagePyramid, images: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
    """Returns what the first stage gets, what each stage gives, and the result."""
    stem: list[Tensor] = []
    maps: list[Tensor] = []

    def keep_input(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        stem.append(inputs[0])

    def keep_output(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        maps.append(output)

    handles = [stage.register_forward_hook(keep_output) for stage in module.stages]
    handles.append(module.stages[0].register_forward_pre_hook(keep_input))
    with torch.no_grad():
        result = module(images)
    for handle in handles:
        handle.remove()
    return stem[0], maps, result


@pytest.mark.usefixtures("two_threads")
def test_every_level_matches_the_reference_network(
    golden_dir: Path,
    golden_images: Tensor,
    seeded_tensors: Callable[..., dict[str, Tensor]],
    load_official: Callable[..., None],
    assert_golden: Callable[..., None],
) -> None:
    golden = np.load(golden_dir / "coarse_fpn.npz")
    levels = ("conv1", "layer", "toplayer", "latlayer", "feat_final")
    tensors = seeded_tensors("model.coarse_monodepth_estimator.")
    module = ImagePyramid(64, 64)
    load_official(module, {k: v for k, v in tensors.items() if k.startswith(levels)}, pyramid.OFFICIAL_NAMES)
    stem, maps, result = stage_maps(module, golden_images)
    assert_golden(stem.mean(dim=(2, 3)), golden["c1_mean"])
    for number, level, step in zip(range(2, 7), maps, (4, 2, 1, 1, 1), strict=True):
        expected = golden[f"c{number}"]
        assert_golden(level[:, : expected.shape[1], ::step, ::step], expected)
    assert_golden(result[:, :, ::3, ::4], golden["p2"])


def test_sizes_that_do_not_halve_evenly_come_back_whole() -> None:
    torch.manual_seed(0)
    _, maps, result = stage_maps(ImagePyramid(4, 5), torch.rand(2, 3, 33, 57))
    assert [tuple(level.shape[1:]) for level in maps] == [
        (8, 33, 57),
        (8, 17, 29),
        (12, 9, 15),
        (16, 5, 8),
        (16, 3, 4),
    ]
    assert result.shape == (2, 5, 33, 57)


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    module = ImagePyramid(4, 5)
    (module(torch.rand(1, 3, 40, 48)) * torch.randn(1, 5, 40, 48)).sum().backward()
    gradients = [parameter.grad for parameter in module.parameters()]
    assert all(gradient is not None and bool((gradient != 0).any()) for gradient in gradients)
