from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distillnerf_core.teachers.field.proposal_loss import (
    BLUR_HALF_WIDTHS,
    SampledRound,
    blurred_cumulative,
    proposal_loss,
)
from distillnerf_core.teachers.field.ray_spacing import FAR_M, NEAR_M, to_distance
from distillnerf_core.teachers.field.resampling import cumulative_share, resample

Golden = Callable[[str], dict[str, Tensor]]


def test_spacing_matches_the_golden_tensors(golden: Golden) -> None:
    values = golden("ray_warp")
    torch.testing.assert_close(to_distance(values["s"]), values["uniform_lindisp"], rtol=1e-5, atol=1e-5)


def test_spacing_is_even_up_to_200_m_and_ends_at_the_far_end() -> None:
    distances = to_distance(torch.linspace(0.0, 1.0, 129, dtype=torch.float64))
    near = distances[distances < 200.0].diff()
    torch.testing.assert_close(near, torch.full_like(near, (0.9 - NEAR_M / 400.0) / 128 * 400.0))
    assert abs(distances[0].item() - NEAR_M) < 1e-9
    assert abs(distances[-1].item() - FAR_M) < 1e-6


def test_resampling_matches_the_golden_tensors(golden: Golden) -> None:
    values = golden("pdf_sampling")
    edges, cumulative, count = values["edges"], values["cdf"], int(values["n"])
    half = torch.full((len(edges), 1), 0.5)
    torch.testing.assert_close(resample(edges, cumulative, count, half), values["edges_mid"], rtol=1e-4, atol=1e-4)
    jittered = resample(edges, cumulative, count, values["bias"][:, None])
    torch.testing.assert_close(jittered, values["edges_jit"], rtol=1e-4, atol=1e-4)


@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_new_edges_ascend_within_the_old_ones(seed: int, phase: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.rand(3, 20, generator=generator).sort(dim=1).values
    density = torch.rand(3, 19, generator=generator) * 30.0
    new = resample(edges, cumulative_share(density, edges), 12, torch.full((3, 1), phase))
    assert bool((new.diff(dim=1) >= -1e-6).all())
    assert bool((new[:, 0] >= edges[:, 0]).all() & (new[:, -1] <= edges[:, -1]).all())


def test_uniform_shares_give_uniform_intervals() -> None:
    edges = torch.linspace(0.0, 1.0, 9)[None]
    new = resample(edges, edges, 4, torch.full((1, 1), 0.5))
    torch.testing.assert_close(new, torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.0]]))


def test_light_that_is_left_stops_in_the_last_interval() -> None:
    edges = torch.tensor([[0.0, 1.0, 3.0, 4.0]])
    share = cumulative_share(torch.tensor([[0.5, 0.25, 0.0]]), edges)
    torch.testing.assert_close(share, torch.tensor([[0.0, 1 - np.exp(-0.5), 1 - np.exp(-1.0), 1.0]]).float())


def rounds_of(values: dict[str, Tensor]) -> tuple[SampledRound, list[SampledRound]]:
    cumulative = 1.0 - torch.nn.functional.pad(values["target_trans"], (0, 1))
    rounds = [SampledRound(values[f"prop_edges{k}"], values[f"prop_cdf{k}"].clone().requires_grad_()) for k in (0, 1)]
    return SampledRound(values["target_edges"], cumulative), rounds


def test_proposal_loss_and_its_gradient_match_the_golden_tensors(golden: Golden) -> None:
    values = golden("proposal_loss")
    target, rounds = rounds_of(values)
    loss = proposal_loss(target, rounds)
    torch.testing.assert_close(loss, values["loss_aa"], rtol=1e-4, atol=1e-6)
    gradients = torch.autograd.grad(loss, [proposed.cumulative for proposed in rounds])
    for number, gradient in enumerate(gradients):
        expected = values[f"grad_prop{number}_aa"]
        torch.testing.assert_close(gradient, expected, rtol=2e-4, atol=2e-4 * float(expected.abs().max()))


def test_blurring_matches_numerical_convolution() -> None:
    target = SampledRound(torch.tensor([[0.1, 0.3, 0.35, 0.8]]), torch.tensor([[0.0, 0.2, 0.9, 1.0]]))
    at = torch.linspace(0.0, 1.0, 23)[None]
    width = BLUR_HALF_WIDTHS[0]
    shifts = np.linspace(-width, width, 4001)
    sharp = np.interp(at.numpy()[0][:, None] + shifts, target.edges.numpy()[0], target.cumulative.numpy()[0])
    blurred = blurred_cumulative(target, width, at)[0]
    np.testing.assert_allclose(blurred, np.trapezoid(sharp, shifts, axis=1) / (2 * width), atol=2e-5)
