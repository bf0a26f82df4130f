import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from distillnerf_core.teachers.field.losses import (
    color_loss,
    gaussian_mass,
    line_of_sight_loss,
    range_loss,
    sky_loss,
)
from distillnerf_core.teachers.field.schedules import (
    learning_rate_factor,
    line_of_sight_margin_m,
    line_of_sight_weight,
    proposal_updates,
)

Golden = Callable[[str], dict[str, Tensor]]


def test_color_and_sky_match_the_golden_tensors(golden: Golden) -> None:
    values = golden("losses")
    torch.testing.assert_close(color_loss(values["rgb_pred"], values["rgb_gt"]), values["rgb_l2"])
    opacity = values["opacity"][:, 0].clone().requires_grad_()
    loss = 0.001 * sky_loss(opacity, values["sky_mask"] > 0.5)
    torch.testing.assert_close(loss, values["sky_opacity"], rtol=1e-5, atol=1e-8)
    (gradient,) = torch.autograd.grad(loss, opacity)
    torch.testing.assert_close(gradient, values["sky_grad"][:, 0], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("margin", [6.0, 4.25, 2.5])
def test_line_of_sight_matches_the_golden_tensors_for_the_published_target(golden: Golden, margin: float) -> None:
    values = golden("losses")
    weights, ranges = values["weights"].clone().requires_grad_(), values["gt_range"][:, 0]
    sigma = margin / 3.0
    away = values["t_mid"] - ranges[:, None]
    target = torch.exp(-0.5 * (away / sigma).square()) / (sigma * math.sqrt(2.0 * math.pi))
    loss = 0.05 * line_of_sight_loss(weights, values["t_mid"], target, ranges, margin)
    torch.testing.assert_close(loss, values[f"los_{margin}"], rtol=1e-5, atol=1e-8)
    (gradient,) = torch.autograd.grad(loss, weights)
    torch.testing.assert_close(gradient, values[f"los_grad_{margin}"], rtol=1e-4, atol=1e-8)


def test_the_mass_target_is_the_published_density_times_the_length_of_thin_intervals() -> None:
    edges = torch.linspace(20.0, 40.0, 2001, dtype=torch.float64)[None]
    mass = gaussian_mass(edges, torch.tensor([30.0], dtype=torch.float64), 6.0)
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
    density = torch.exp(-0.5 * ((middles - 30.0) / 2.0) ** 2) / (2.0 * math.sqrt(2.0 * math.pi))
    torch.testing.assert_close(mass, density * 0.01, rtol=1e-4, atol=1e-9)
    assert mass.sum().item() == pytest.approx(1.0, abs=1e-6)


def test_weights_equal_to_the_mass_cost_nothing_and_a_floater_does() -> None:
    edges, ranges = torch.linspace(0.0, 60.0, 121)[None], torch.tensor([30.0])
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
    mass = gaussian_mass(edges, ranges, 3.0)
    assert line_of_sight_loss(mass, middles, mass, ranges, 3.0).item() < 1e-5
    floater = mass.clone()
    floater[0, 20] = 0.5
    assert line_of_sight_loss(floater, middles, mass, ranges, 3.0).item() == pytest.approx(0.25, abs=1e-5)
    behind = mass.clone()
    behind[0, 100] = 0.5
    assert line_of_sight_loss(behind, middles, mass, ranges, 3.0).item() < 1e-5


def test_range_loss_is_the_mean_relative_error_of_valid_returns() -> None:
    loss = range_loss(torch.tensor([11.0, 50.0, 7.0]), torch.tensor([10.0, 100.0, 0.0]))
    assert loss.item() == pytest.approx(math.log(1.1), rel=1e-5)
    assert range_loss(torch.ones(2), torch.zeros(2)).item() == 0.0


def test_schedules_match_the_golden_tensors(golden: Golden) -> None:
    values, steps = golden("schedules"), 25_000
    rates = [0.01 * learning_rate_factor(int(step) / steps) for step in values["lr_scheduler_step"]]
    torch.testing.assert_close(torch.tensor(rates).double(), values["lr"], rtol=1e-5, atol=1e-9)
    margins = [line_of_sight_margin_m(int(step) / steps) for step in values["eps_iter"]]
    torch.testing.assert_close(torch.tensor(margins).double(), values["eps"], rtol=1e-5, atol=1e-6)
    started = values["los_decay_iter"] > 2000
    weights = [line_of_sight_weight(int(step) / steps) for step in values["los_decay_iter"][started]]
    torch.testing.assert_close(torch.tensor(weights).double(), values["los_decay"][started])
    assert line_of_sight_weight(0.08) == 0.0


def test_published_updates_of_the_proposals_match_the_golden_flags(golden: Golden) -> None:
    flags = golden("schedules")["prop_update_pixel_lidar"]
    found = torch.tensor(proposal_updates(len(flags), calls=2, rare=5.0)).view(-1, 2)
    assert torch.equal(found, flags)


def test_the_repaired_updates_end_with_every_third_iteration() -> None:
    updates = proposal_updates(1300)
    assert updates[1000:].count(True) == 100
    assert updates[:100].count(True) > 90
