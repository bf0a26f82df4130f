"""Ray parameters against analytic answers and against a march with an inside test."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distillnerf_core.simulation.intersections import (
    box_distance,
    components,
    ellipsoid_distance,
    frustum_distance,
)
from distillnerf_core.simulation.primitives import Shape
from distillnerf_core.simulation.ray_casting import intersect

DOWN_X = components(torch.tensor([[-1.0, 0.0, 0.0]]), 1)


def _half(x: float, y: float, z: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.tensor([x]), torch.tensor([y]), torch.tensor([z])


def test_box_in_front_is_met_at_its_face() -> None:
    origin = components(torch.tensor([[10.0, 0.5, 0.0]]), 1)
    assert box_distance(origin, DOWN_X, _half(2.0, 1.0, 1.0)).item() == 8.0


def test_box_beside_or_behind_the_ray_is_missed() -> None:
    beside = components(torch.tensor([[10.0, 1.5, 0.0]]), 1)
    behind = components(torch.tensor([[-10.0, 0.0, 0.0]]), 1)
    for origin in (beside, behind):
        assert box_distance(origin, DOWN_X, _half(2.0, 1.0, 1.0)).isinf()


def test_sphere_far_away_keeps_its_radius() -> None:
    origin = components(torch.tensor([[80.0, 0.0, 0.049], [80.0, 0.0, 0.051]]), 1)
    direction = components(torch.tensor([[-1.0, 0.0, 0.0]]).expand(2, 3), 1)
    distance = ellipsoid_distance(origin, direction, _half(0.05, 0.05, 0.05))
    assert distance[0].isfinite() and distance[1].isinf()
    assert abs(distance[0].item() - (80.0 - (0.05**2 - 0.049**2) ** 0.5)) < 1e-4


def test_cylinder_cap_and_cone_mantle() -> None:
    above = components(torch.tensor([[0.3, 0.0, 10.0]]), 1)
    down = components(torch.tensor([[0.0, 0.0, -1.0]]), 1)
    cylinder = frustum_distance(above, down, _half(0.5, 0.5, 2.0), torch.tensor([1.0]))
    cone = frustum_distance(above, down, _half(0.5, 0.5, 2.0), torch.tensor([0.0]))
    assert abs(cylinder.item() - 8.0) < 1e-5
    assert abs(cone.item() - (10.0 + 2.0 - 4.0 * (1 - 0.3 / 0.5))) < 1e-4


def _inside(kind: Shape, points: torch.Tensor, half: torch.Tensor, taper: float) -> torch.Tensor:
    """An independent definition of the solids."""
    if kind == Shape.BOX:
        return (points.abs() < half).all(dim=-1)
    if kind == Shape.ELLIPSOID:
        return ((points / half) ** 2).sum(dim=-1) < 1.0
    share = (points[..., 2] + half[2]) / (2 * half[2])
    radius = half[0] * (1 - share) + half[0] * taper * share
    inside: torch.Tensor = (points[..., :2].norm(dim=-1) < radius) & (points[..., 2].abs() < half[2])
    return inside


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(list(Shape)), seed=st.integers(0, 10_000), taper=st.floats(0.0, 1.4))
def test_agrees_with_marching(kind: Shape, seed: int, taper: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    half = 0.3 + 2.0 * torch.rand(3, generator=generator)
    origin = torch.nn.functional.normalize(torch.randn(32, 3, generator=generator), dim=1) * 8.0
    target = 1.5 * torch.randn(32, 3, generator=generator)
    direction = torch.nn.functional.normalize(target - origin, dim=1)
    sizes = (half[0:1], half[1:2], half[2:3])
    found = intersect(kind, components(origin, 1), components(direction, 1), sizes, torch.tensor([taper]))
    steps = torch.linspace(0.0, 16.0, 4001)
    inside = _inside(kind, origin[:, None] + steps[:, None] * direction[:, None], half, taper)
    hit = inside.any(dim=1)
    first = steps[inside.float().argmax(dim=1)]
    assert (found[hit] - first[hit]).abs().max() < 0.01 if hit.any() else True
    grazing = found[~hit & found.isfinite()]
    middle = origin[~hit & found.isfinite()] + (grazing[:, None] + 1e-3) * direction[~hit & found.isfinite()]
    assert (_inside(kind, middle * 0.98, half, taper) | _inside(kind, middle * 0.9, half, taper)).all()
