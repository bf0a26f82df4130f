from dataclasses import dataclass

import torch
from torch import Tensor

from distillnerf_core.model.compositing import march_samples
from distillnerf_core.model.depth_bins import DepthBinsConfig, depth_edges
from distillnerf_core.model.renderer import RendererConfig, render_rays

CONFIG = RendererConfig(bins=DepthBinsConfig(near_m=0.5, far_m=60.0, count=64), importance_samples=10)


@dataclass(frozen=True)
class Slab:
    """A field of three rows: a red slab from x = 8 m to 9 m, a blue one behind it, and empty space."""

    logits: Tensor
    empty_row: int = 2

    def rows_of_axes(self, x_m: Tensor, y_m: Tensor, z_m: Tensor) -> Tensor:
        x = x_m
        red, blue = (x >= 8.0) & (x < 9.0), (x >= 9.0) & (x < 10.0)
        return torch.where(red, 0, torch.where(blue, 1, 2))


def make_slab(logit: float) -> Slab:
    return Slab(torch.tensor([logit, logit, -10.0], requires_grad=True))


def rays(count: int = 5) -> tuple[Tensor, Tensor]:
    directions = torch.nn.functional.normalize(torch.tensor([[1.0, 0.05 * k, 0.0] for k in range(count)]), dim=1)
    return torch.zeros(count, 3), directions


CONTENT = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


def test_an_opaque_slab_hides_what_is_behind_it() -> None:
    origins, directions = rays()
    rendered = render_rays(make_slab(8.0), CONTENT, origins, directions, CONFIG)
    expected = 8.0 / directions[:, 0]
    torch.testing.assert_close(rendered.distance_m, expected, rtol=0.06, atol=0.0)
    assert bool((rendered.opacity > 0.99).all())
    assert bool((rendered.features[:, 0] > 0.95).all())


def test_compositing_only_what_matters_equals_compositing_everything() -> None:
    origins, directions = rays()
    slab = make_slab(-0.5)
    rendered = render_rays(slab, CONTENT, origins, directions, CONFIG)
    edges = depth_edges(CONFIG.bins)
    first = (0.5 * (edges[1:] + edges[:-1])).expand(5, -1)

    def rows(distances: Tensor) -> Tensor:
        axes = (origins[:, None] + distances[..., None] * directions[:, None]).unbind(-1)
        return slab.rows_of_axes(*axes)

    weights = march_samples(slab.logits[rows(first)], first, 60.0).gap_weights
    strongest = weights.argmax(dim=1, keepdim=True)
    center = 0.5 * (first.gather(1, strongest) + first.gather(1, strongest + 1))
    step = (0.006 * center).clamp(0.05, 1.0)
    merged = torch.cat((first, center + (torch.arange(10) - 5) * step), dim=1).sort(dim=1).values
    march = march_samples(slab.logits[rows(merged)], merged, 60.0)
    expected = (march.sample_weights[..., None] * CONTENT[rows(merged)]).sum(dim=1)
    torch.testing.assert_close(rendered.features, expected, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(rendered.distance_m, march.distance_m)


def test_density_receives_gradients_from_colour_and_depth() -> None:
    origins, directions = rays()
    for quantity in ("distance_m", "features", "opacity"):
        slab = make_slab(-0.5)
        getattr(render_rays(slab, CONTENT, origins, directions, CONFIG), quantity).sum().backward()
        assert slab.logits.grad is not None
        assert bool((slab.logits.grad[:2] != 0).all()), quantity


def test_jitter_moves_samples_but_not_the_surface() -> None:
    torch.manual_seed(0)
    origins, directions = rays()
    slab = make_slab(8.0)
    first = render_rays(slab, CONTENT, origins, directions, CONFIG, jitter=True)
    second = render_rays(slab, CONTENT, origins, directions, CONFIG, jitter=True)
    assert not torch.equal(first.distance_m, second.distance_m)
    torch.testing.assert_close(first.distance_m, second.distance_m, rtol=0.1, atol=0.0)


def test_distance_alone_is_rendered_by_any_number_of_threads() -> None:
    origins, directions = rays()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        rendered = render_rays(make_slab(8.0), CONTENT[:, :0], origins, directions, CONFIG)
    finally:
        torch.set_num_threads(before)
    assert rendered.features.shape == (5, 0)
    torch.testing.assert_close(rendered.distance_m, 8.0 / directions[:, 0], rtol=0.06, atol=0.0)
