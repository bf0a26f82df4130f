from typing import Any

import pydantic
import pytest
import torch

from distillnerf_core.model.depth_prior.extractor import DepthPrior, DepthPriorConfig, working_size


@pytest.mark.parametrize(
    ("size", "short_side_px", "expected"),
    [
        ((128, 228), 518, (518, 910)),
        ((224, 400), 518, (518, 924)),
        ((144, 216), 518, (518, 770)),
        ((36, 64), 518, (518, 910)),
        ((228, 128), 518, (910, 518)),
        ((100, 100), 518, (518, 518)),
        ((128, 228), 252, (252, 448)),
        ((128, 228), 14, (14, 14)),
    ],
)
def test_the_working_size_holds_whole_patches(
    size: tuple[int, int], short_side_px: int, expected: tuple[int, int]
) -> None:
    assert working_size(*size, short_side_px) == expected


@pytest.mark.parametrize("side", [0, 100, 520])
def test_a_broken_patch_is_refused(side: int) -> None:
    with pytest.raises(pydantic.ValidationError, match="short_side_px"):
        DepthPriorConfig(short_side_px=side)


def test_features_have_the_size_of_the_images_and_carry_no_gradient(prior: DepthPrior) -> None:
    features = prior(torch.rand(3, 3, 20, 36).requires_grad_())
    assert features.shape == (3, 16, 20, 36)
    assert not features.requires_grad
    assert not any(parameter.requires_grad for parameter in prior.parameters())


def test_cameras_are_worked_on_one_at_a_time_and_apart(prior: DepthPrior) -> None:
    seen: list[int] = []

    def count(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        seen.append(len(args[0]))

    prior.transformer.register_forward_pre_hook(count)
    images = torch.rand(3, 3, 20, 36)
    together = prior(images)
    assert seen == [1, 1, 1]
    assert torch.equal(together[1:2], prior(images[1:2]))


def test_bfloat16_is_close_and_float32_is_immune_to_an_outer_autocast(
    prior: DepthPrior, config: DepthPriorConfig
) -> None:
    images = torch.rand(2, 3, 20, 36)
    exact = prior(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(prior(images), exact)
    lowered = DepthPrior(config.model_copy(update={"precision": "bfloat16"})).eval()
    lowered.load_state_dict(prior.state_dict())
    found = lowered(images)
    assert found.dtype == torch.float32
    assert 0 < float((found - exact).norm() / exact.norm()) < 0.02
