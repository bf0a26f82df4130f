import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from distillnerf_core.teachers.field.rendering import (
    Densities,
    PartSamples,
    composite_color,
    median_distance,
    render_densities,
)

Golden = Callable[[str], dict[str, Tensor]]


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def everywhere(values: dict[str, Tensor]) -> PartSamples:
    density = values["in_dynamic_density"]
    return PartSamples(
        torch.arange(density.numel()),
        density.flatten(),
        torch.zeros(density.numel(), 1),
        values["in_shadow_ratio"].flatten(),
    )


def test_both_parts_match_the_golden_tensors(golden: Golden) -> None:
    values = golden("volume_render")
    densities = Densities.of(values["in_static_density"], everywhere(values))
    close(densities.total, values["in_density"])
    rendered = render_densities(densities, values["t_edges"])
    close(rendered.weights, values["ex_weights"])
    close(rendered.distance_m[:, None], values["out_depth"])
    close(rendered.median_m[:, None], values["out_median_depth"])
    close(rendered.opacity[:, None], values["out_opacity"])
    color = composite_color(
        rendered.weights,
        densities,
        values["in_static_rgb"],
        values["in_dynamic_rgb"].flatten(0, 1),
        values["in_rgb_sky"],
    )
    close(color, values["out_rgb"])


@pytest.mark.parametrize("part", ["static", "dynamic"])
def test_each_part_alone_matches_the_golden_tensors(golden: Golden, part: str) -> None:
    values = golden("volume_render")
    rendered = render_densities(Densities.of(values[f"in_{part}_density"], None), values["t_edges"])
    close(rendered.opacity[:, None], values[f"out_{part}_opacity"])
    close(rendered.distance_m[:, None], values[f"out_{part}_depth"])


def test_a_static_scene_matches_the_golden_tensors(golden: Golden) -> None:
    values = golden("volume_render")
    densities = Densities.of(values["static_density"], None)
    rendered = render_densities(densities, values["t_edges"])
    close(rendered.distance_m[:, None], values["static_depth"])
    close(rendered.median_m[:, None], values["static_median_depth"])
    close(rendered.opacity[:, None], values["static_opacity"])
    color = composite_color(
        rendered.weights, densities, values["in_static_rgb"], torch.zeros(0, 3), values["in_rgb_sky"]
    )
    close(color, values["static_rgb"])


def test_fog_stops_light_exponentially() -> None:
    edges = torch.linspace(0.0, 40.0, 4001, dtype=torch.float64)[None]
    rendered = render_densities(Densities.of(torch.full((1, 4000), 0.5, dtype=torch.float64), None), edges)
    assert rendered.distance_m.item() == pytest.approx(2.0, abs=1e-4)
    assert rendered.spread_m.item() == pytest.approx(2.0, abs=1e-3)
    assert rendered.median_m.item() == pytest.approx(2.0 * math.log(2.0), abs=6e-3)


def test_light_is_shared_between_the_parts() -> None:
    edges = torch.tensor([[0.0, 1.0, 2.0]])
    part = PartSamples(torch.tensor([1, 1]), torch.tensor([20.0, 10.0]), torch.zeros(2, 1), torch.zeros(2))
    densities = Densities.of(torch.tensor([[0.0, 10.0]]), part)
    rendered = render_densities(densities, edges)
    assert rendered.moving_opacity.item() == pytest.approx(0.75, abs=1e-5)
    red, green, blue = torch.eye(3)
    static = red.expand(1, 2, 3)
    color = composite_color(rendered.weights, densities, static, torch.stack((green, blue)), torch.zeros(1, 3))
    torch.testing.assert_close(color, torch.tensor([[0.25, 0.5, 0.25]]), rtol=0, atol=1e-5)


def test_a_clear_ray_sees_the_sky_and_has_its_median_at_the_end() -> None:
    densities = Densities.of(torch.zeros(1, 4), None)
    edges = torch.arange(5.0)[None]
    rendered = render_densities(densities, edges)
    sky = torch.tensor([[0.2, 0.4, 0.9]])
    color = composite_color(rendered.weights, densities, torch.ones(1, 4, 3), torch.zeros(0, 3), sky)
    torch.testing.assert_close(color, sky, rtol=1e-5, atol=1e-5)
    assert median_distance(rendered.weights, edges[:, 1:] - 0.5).item() == 3.5
