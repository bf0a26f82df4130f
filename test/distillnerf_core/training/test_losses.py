import math

import pytest
import torch

from distillnerf_core.language.classes import BACKGROUND, UNKNOWN
from distillnerf_core.model.compositing import RayDepth, render_intervals
from distillnerf_core.model.fine_depth import Frustum
from distillnerf_core.model.renderer import RenderedRays
from distillnerf_core.training.losses import (
    candidate_loss,
    color_loss,
    dissimilarity,
    feature_loss,
    interval_loss,
    language_loss,
    line_of_sight_loss,
    log_distance_loss,
    opacity_loss,
    weight_entropy,
    weighted_mean,
)


def test_distance_loss_is_the_mean_log_ratio_over_known_rays() -> None:
    predicted = torch.tensor([10.0, 20.0, 5.0, 100.0])
    target = torch.tensor([20.0, 10.0, math.nan, math.inf])
    assert log_distance_loss(predicted, target, 100.0).item() == pytest.approx(2 * math.log(2) / 3, rel=1e-5)


def test_feature_loss_is_a_mean_over_known_pixels_as_far_as_they_are_trusted() -> None:
    target = torch.zeros(1, 2, 1, 4)
    target[0, 1, 0, 3] = math.nan
    rendered = torch.tensor([1.0, 2.0, -4.0, 50.0]).expand(1, 2, 1, 4).clone().requires_grad_()
    assert feature_loss(rendered, target).item() == pytest.approx((1 + 2 + 4) / 3)
    assert feature_loss(rendered, target, error="rms").item() == pytest.approx(math.sqrt((1 + 4 + 16) / 3), rel=1e-5)
    trust = torch.tensor([1.0, 0.5, 0.0, 1.0]).view(1, 1, 1, 4)
    loss = feature_loss(rendered, target, trust)
    assert loss.item() == pytest.approx((1 + 0.5 * 2) / 1.5)
    loss.backward()
    assert rendered.grad is not None
    assert rendered.grad[0, 0, 0].tolist() == pytest.approx([1 / 3, 1 / 6, 0.0, 0.0])


def test_unknown_rays_give_finite_gradients() -> None:
    predicted = torch.tensor([10.0, 20.0], requires_grad=True)
    log_distance_loss(predicted, torch.tensor([math.nan, math.nan]), 100.0).backward()
    assert predicted.grad is not None
    assert predicted.grad.tolist() == [0.0, 0.0]


def test_interval_loss_prefers_the_interval_of_the_surface() -> None:
    edges = torch.linspace(0.0, 10.0, 11)

    def loss(interval: int) -> float:
        density = torch.full((1, 10), 1e-6)
        density[0, interval] = 50.0
        return interval_loss(render_intervals(density, edges), edges, torch.tensor([4.5]), 10.0).item()

    assert loss(4) < 0.01 < loss(5) < loss(7)


def test_entropy_and_opacity_reward_one_opaque_surface() -> None:
    sharp, flat = torch.zeros(1, 8), torch.full((1, 8), 0.125)
    sharp[0, 3] = 1.0
    assert weight_entropy(sharp).item() == pytest.approx(0.0, abs=1e-6)
    assert weight_entropy(flat).item() == pytest.approx(math.log(8), rel=1e-4)
    assert opacity_loss(torch.ones(3)).item() == 0.0
    assert opacity_loss(torch.full((3,), 0.5)).item() == pytest.approx(math.log(2), rel=1e-5)


def test_weight_before_a_surface_blocks_the_line_of_sight() -> None:
    weights = torch.tensor([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])
    middles = torch.tensor([[2.0, 9.0, 10.0]]).expand(3, 3)
    nothing = torch.zeros(3)
    rendered = RenderedRays(nothing, nothing, nothing, torch.zeros(3, 0), weights, middles)
    target = torch.tensor([10.0, 2.0, math.nan])
    assert line_of_sight_loss(rendered, target, 100.0).item() == pytest.approx(0.5**2 / 2)
    sky = torch.full((3,), math.inf)
    assert line_of_sight_loss(rendered, sky, 100.0).item() == pytest.approx(1.0)


def test_equal_pictures_are_not_dissimilar_and_the_gradient_leads_to_them() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, 16, 16, generator=generator)
    other = torch.rand(2, 3, 16, 16, generator=generator).requires_grad_()
    assert dissimilarity(target, target).item() == pytest.approx(0.0, abs=1e-5)
    loss = dissimilarity(other, target)
    assert 0.2 < loss.item() < 1.0
    loss.backward()
    assert other.grad is not None
    assert dissimilarity(other - 0.05 * other.grad / other.grad.abs().max(), target) < loss


def test_values_without_weight_do_not_count() -> None:
    values, weights = torch.tensor([1.0, 3.0, 100.0]), torch.tensor([1.0, 1.0, 0.0])
    assert weighted_mean(values, weights).item() == 2.0
    assert weighted_mean(values, torch.zeros(3)).item() == 0.0


def test_the_error_of_colours_is_absolute_or_that_of_psnr() -> None:
    picture = torch.zeros(1, 3, 1, 2)
    rendered = torch.tensor([0.1, 0.5]).expand(1, 3, 1, 2).clone().requires_grad_()
    assert color_loss(rendered, picture).item() == pytest.approx(0.3)
    assert color_loss(rendered, picture, error="rms").item() == pytest.approx(math.sqrt((0.01 + 0.25) / 2), rel=1e-4)
    trust = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    assert color_loss(rendered, picture, trust, "rms").item() == pytest.approx(0.1, rel=1e-4)
    color_loss(torch.zeros_like(rendered, requires_grad=True), picture, error="rms").backward()
    known, guesses = torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1, 1).expand(3, 3, 1, 1), torch.linspace(0, 1, 101)
    absolute = [color_loss(guess.expand_as(known), known) for guess in guesses]
    rms = [color_loss(guess.expand_as(known), known, error="rms") for guess in guesses]
    assert guesses[torch.stack(absolute).argmin()].item() == 0.0
    assert guesses[torch.stack(rms).argmin()].item() == pytest.approx(1 / 3, abs=0.006)


def test_candidates_are_judged_by_where_they_lie() -> None:
    distances = torch.tensor([8.0, 9.0, 10.0, 11.0, 12.0, 13.0]).view(1, 1, 1, 6)
    right = torch.tensor([0.01, 0.01, 0.99, 0.5, 0.01, 0.01]).view(1, 1, 1, 6)
    wrong = torch.tensor([0.9, 0.01, 0.1, 0.5, 0.01, 0.01]).view(1, 1, 1, 6)
    target = torch.full((1, 1, 1), 10.0)
    good = candidate_loss(Frustum(distances, right, 12.0), target, 100.0)
    assert good < candidate_loss(Frustum(distances, wrong, 12.0), target, 100.0)
    assert candidate_loss(Frustum(distances, wrong, 12.0), torch.full((1, 1, 1), math.nan), 100.0).item() == 0.0


def test_language_loss_knows_classes_background_and_nothing() -> None:
    classes = torch.eye(18)
    car = classes[4:5] * 2.0
    label = lambda value: torch.tensor([value])  # noqa: E731
    assert language_loss(car, label(4), classes) < language_loss(car, label(7), classes)
    road = classes[11:12]
    assert language_loss(road, label(BACKGROUND), classes) < language_loss(car, label(BACKGROUND), classes)
    assert language_loss(car, label(UNKNOWN), classes).item() == 0.0
    mixed = torch.cat((car, car))
    torch.testing.assert_close(
        language_loss(mixed, torch.tensor([4, UNKNOWN]), classes), language_loss(car, label(4), classes)
    )


def test_ray_depth_is_what_interval_loss_expects() -> None:
    rendered = render_intervals(torch.rand(2, 3, 5), torch.linspace(1.0, 6.0, 6))
    assert isinstance(rendered, RayDepth)
    assert interval_loss(rendered, torch.linspace(1.0, 6.0, 6), torch.full((2, 3), 3.0), 6.0).isfinite()
