from pathlib import Path

import numpy as np
import torch

from distillnerf_core.model.compositing import march_samples, median_distance, render_intervals


def test_intervals_match_the_reference_network(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "volume_render.npz")
    starts, ends = torch.from_numpy(golden["t_starts"]), torch.from_numpy(golden["t_ends"])
    edges = torch.cat((starts, ends[:, -1:]), dim=1)
    rendered = render_intervals(torch.from_numpy(golden["densities"]), edges)
    np.testing.assert_allclose(rendered.weights, golden["weights"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(rendered.distance_m, golden["depth"][:, 0], rtol=1e-5, atol=1e-6)


def test_marching_matches_the_reference_network(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "ray_marcher.npz")
    logits = torch.from_numpy(golden["logits"])[0, ..., 0]
    distances = torch.from_numpy(golden["depths"])[0, ..., 0]
    marched = march_samples(logits, distances, far_m=float(distances.max()))
    np.testing.assert_allclose(marched.gap_weights, golden["weights"][0, ..., 0], rtol=1e-4, atol=2e-7)
    colors = (marched.sample_weights[..., None] * torch.from_numpy(golden["colors"])[0]).sum(dim=1)
    np.testing.assert_allclose(2 * colors - 1, golden["rgb"][0], rtol=1e-4, atol=1e-5)


def test_a_homogeneous_medium_absorbs_exponentially() -> None:
    edges = torch.linspace(0.0, 4.0, 401, dtype=torch.float64)
    rendered = render_intervals(torch.full((1, 400), 0.7, dtype=torch.float64), edges)
    expected = 1 - np.exp(-0.7 * 4.0)
    np.testing.assert_allclose(rendered.opacity, expected, rtol=1e-9)
    mean = (1 / 0.7 - np.exp(-2.8) * (4 + 1 / 0.7)) / expected
    np.testing.assert_allclose(rendered.distance_m, mean, rtol=1e-4)


def test_an_opaque_wall_is_seen_where_it_stands() -> None:
    distances = torch.arange(0.5, 20.0, 0.1)[None]
    logits = torch.where(distances >= 8.0, 9.0, -10.0)
    marched = march_samples(logits, distances, far_m=50.0)
    assert abs(marched.distance_m.item() - 8.0) < 0.15
    assert marched.opacity.item() > 0.999


def test_the_median_lies_on_a_surface_where_the_mean_lies_between() -> None:
    distances = torch.tensor([[1.0, 2.0, 4.0, 8.0, 9.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
    weights = torch.tensor([[0.0, 0.6, 0.0, 0.4], [0.1, 0.1, 0.1, 0.1]])
    # Half of the first ray's light is lost after 5/6 of the second gap; the second ray is uniform.
    torch.testing.assert_close(median_distance(weights, distances), torch.tensor([2.0 + 2.0 * 5 / 6, 2.0]))
    assert bool(median_distance(torch.zeros(1, 4), distances[:1]).isfinite().all())


def test_gradients_agree_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(3, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    edges = torch.linspace(0.5, 3.5, 7, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda value: render_intervals(value, edges).distance_m, (density,))
    logits = torch.randn(3, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    marched = lambda value: march_samples(value, edges.expand(3, 7), 50.0)  # noqa: E731
    assert torch.autograd.gradcheck(lambda value: marched(value).sample_weights, (logits,))
    assert torch.autograd.gradcheck(lambda value: marched(value).distance_m, (logits,))
