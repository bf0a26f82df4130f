import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from distillnerf_core.model.fine_depth import Frustum, depth_candidates
from distillnerf_core.model.reference import fine
from distillnerf_core.model.reference.blocks import LEAKY_SLOPE
from distillnerf_core.model.reference.coarse import CoarseEstimate
from distillnerf_core.model.reference.fine import CANDIDATES, CandidateScorer, FineDepthStage, fine_depth

PREFIX = "model.fine_mono_depth_estimator."


def naive_occupancy(scorer: CandidateScorer, features: Tensor, distances_m: Tensor) -> Tensor:
    """Section 1.7, steps 2, 7 and 8 as they stand: every candidate of every pixel has its own product."""
    norm = scorer.embedding_norm
    embedding = scorer.embedding(distances_m[..., None])
    embedding = functional.layer_norm(embedding, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    hidden = features[:, :, None] * embedding.permute(0, 4, 3, 1, 2)
    for convolution in (scorer.gated, scorer.hidden):
        convolved = convolution(hidden)
        mean = convolved.mean(dim=(2, 3, 4), keepdim=True)
        variance = (convolved - mean).square().mean(dim=(2, 3, 4), keepdim=True)
        hidden = functional.leaky_relu((convolved - mean) / (variance + 1e-5).sqrt(), LEAKY_SLOPE)
    return torch.sigmoid(scorer.output(hidden)[:, 0]).permute(0, 2, 3, 1)


@pytest.fixture
def scorer() -> CandidateScorer:
    """A small one whose parameters are all far from their initial values."""
    torch.manual_seed(0)
    scorer = CandidateScorer(7, 4).double()
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return scorer


def scorer_inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(2, 3, 5, generator=generator, dtype=torch.float64) * 60
    coarse[0, 0] = torch.tensor([0.0, 0.1, 0.4, 2.0, 120.0])
    features = torch.randn(2, 7, 3, 5, generator=generator, dtype=torch.float64)
    return features.requires_grad_(), depth_candidates(coarse, CANDIDATES).requires_grad_()


def test_scoring_equals_the_naive_form(scorer: CandidateScorer) -> None:
    features, distances = scorer_inputs()
    torch.testing.assert_close(scorer(features, distances), naive_occupancy(scorer, features, distances))
    scorer.float()
    single = scorer(features.float(), distances.float())
    naive = naive_occupancy(scorer, features.float(), distances.float())
    torch.testing.assert_close(single, naive, rtol=1e-5, atol=1e-6)


def test_gradients_equal_those_of_the_naive_form(scorer: CandidateScorer) -> None:
    inputs = scorer_inputs()
    leaves = [*inputs, *scorer.parameters()]
    upstream = torch.randn(2, 3, 5, 15, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    lean = torch.autograd.grad(scorer(*inputs), leaves, upstream)
    naive = torch.autograd.grad(naive_occupancy(scorer, *inputs), leaves, upstream)
    for ours, theirs in zip(lean, naive, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_gradients_agree_with_finite_differences(scorer: CandidateScorer) -> None:
    features, distances = (tensor.detach() for tensor in scorer_inputs())
    few = (features[1:, :, :2, :3].requires_grad_(), distances[1:, :2, :3].requires_grad_())
    assert torch.autograd.gradcheck(scorer, few)


def test_an_embedding_that_ignores_the_distance_stays_finite(scorer: CandidateScorer) -> None:
    with torch.no_grad():
        scorer.embedding.weight.fill_(0.25)
    features, distances = scorer_inputs()
    torch.testing.assert_close(scorer(features, distances), naive_occupancy(scorer, features, distances))


class LargestTensor(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that was made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        made = result if isinstance(result, (tuple, list)) else (result,)
        self.elements = max(self.elements, *(tensor.numel() for tensor in made if isinstance(tensor, Tensor)), 0)
        return result


def test_products_of_all_candidates_are_never_held() -> None:
    torch.manual_seed(0)
    stage = FineDepthStage()
    inputs = (torch.rand(2, 3, 32, 48), torch.randn(2, 64, 32, 48), torch.rand(2, 32, 48) * 40)
    with torch.no_grad(), LargestTensor() as largest:
        stage(*inputs)
    assert largest.elements == 15 * 16 * 32 * 48


def test_the_stage_passes_gradients_to_all_it_is_given() -> None:
    torch.manual_seed(0)
    stage = FineDepthStage().double()
    images, features = (torch.rand(2, channels, 32, 48, dtype=torch.float64) for channels in (3, 64))
    coarse = (torch.rand(2, 32, 48, dtype=torch.float64) * 40).requires_grad_()
    estimate = stage(images, features.requires_grad_(), coarse)
    alone = stage(images[1:], features[1:], coarse[1:])
    torch.testing.assert_close(alone.features, estimate.features[1:])
    torch.testing.assert_close(alone.frustum.occupancy, estimate.frustum.occupancy[1:])
    (estimate.frustum.occupancy.sum() + estimate.features.square().sum()).backward()
    # A bias that normalisation takes away again has no gradient.
    for leaf in (features, coarse, *(weight for weight in stage.parameters() if weight.ndim > 1)):
        assert leaf.grad is not None
        assert leaf.grad.any()


def test_stored_weights_are_those_of_the_recipe(
    golden_dir: Path, seeded_tensors: Callable[..., dict[str, Tensor]]
) -> None:
    stored = load_file(golden_dir / "state_fine_estimator.safetensors")
    seeded = seeded_tensors(PREFIX)
    assert {PREFIX + key for key in seeded} == set(stored)
    assert all(torch.equal(stored[PREFIX + key], tensor) for key, tensor in seeded.items())


def test_candidates_and_features_match_the_reference_network(
    golden_dir: Path,
    golden_images: Tensor,
    golden_coarse: CoarseEstimate,
    load_official: Callable[..., None],
    assert_golden: Callable[..., None],
) -> None:
    golden = np.load(golden_dir / "fine_depth.npz")
    stored = load_file(golden_dir / "state_fine_estimator.safetensors")
    stage = FineDepthStage()
    load_official(stage, {key.removeprefix(PREFIX): value for key, value in stored.items()}, fine.OFFICIAL_NAMES)
    coarse_m = torch.from_numpy(np.load(golden_dir / "coarse_depth_linear.npz")["coarse_depth"])
    inputs = (golden_images, golden_coarse.features, coarse_m)
    with torch.no_grad():
        assert_golden(stage.pyramid(golden_images)[:, :, ::3, ::4], golden["fpn"])
        estimate = stage(*inputs)
        naive = naive_occupancy(stage.scorer, *gates_and_distances(stage, *inputs))
    frustum = estimate.frustum
    torch.testing.assert_close(frustum.occupancy, naive, rtol=1e-5, atol=1e-6)
    assert_golden(frustum.distances_m.permute(0, 3, 1, 2), golden["candidates"])
    assert_golden(frustum.logits.permute(0, 3, 1, 2), golden["density_logit"])
    lifted = estimate.features[:, :, None] * frustum.occupancy.permute(0, 3, 1, 2)[:, None]
    assert_golden(lifted[..., ::6, ::8], golden["frustum_feat"])
    rendered = fine_depth(frustum)
    assert_golden(rendered.distance_m, golden["fine_depth"])
    # Up to 2e-5 of a logit (0.7e-6 of the largest) are as much of a density and of a weight.
    assert_golden(rendered.weights.permute(0, 3, 1, 2), golden["mid_weights"], share=1e-5)


def gates_and_distances(stage: FineDepthStage, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Returns what the stage hands to its scorer, of all cameras."""
    handed: list[tuple[Tensor, Tensor]] = []
    handle = stage.scorer.register_forward_pre_hook(lambda _, given: handed.append(given))
    stage(*inputs)
    handle.remove()
    gates, distances = zip(*handed, strict=True)
    return torch.cat(gates), torch.cat(distances)


def test_a_wall_between_candidates_is_seen_there() -> None:
    distances = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 1, 4)
    occupancy = torch.tensor([0.0, 1.0, 1.0, 0.0]).expand(1, 1, 1, 4)
    rendered = fine_depth(Frustum(distances, occupancy, 30.0))
    # The mean logit of a free and an occupied candidate is zero, a density of 1 / e over a metre.
    first = 1.0 - math.exp(-math.exp(-1.0))
    torch.testing.assert_close(
        rendered.weights.flatten(), torch.tensor([first, 1.0 - first, 0.0]), rtol=1e-5, atol=1e-6
    )
    assert rendered.distance_m.item() == pytest.approx(1.5 * first + 2.5 * (1 - first), rel=1e-5)
