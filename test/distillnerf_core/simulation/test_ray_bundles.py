"""Bundles of rays meet what the pictures show."""

import pytest
import torch
from simulated_street import nearest_surface

from distillnerf_core.simulation.ray_bundles import RayBundles, bundle_candidates, cast_bundles
from distillnerf_core.simulation.scene import sample_scene


def random_directions(shape: tuple[int, ...], spread: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    middle = torch.randn((*shape[:-1], 1, 3), generator=generator) * torch.tensor([1.0, 1.0, 0.1])
    middle = torch.nn.functional.normalize(middle, dim=-1)
    noise = torch.randn((*shape, 3), generator=generator)
    return torch.nn.functional.normalize(middle + spread * noise, dim=-1)


@pytest.mark.parametrize("spread", [0.0, 0.05, 3.0])
def test_no_candidate_is_missed(spread: float) -> None:
    """Narrow, wide and all-round bundles give what all primitives together give."""
    scene = sample_scene(4)
    directions = random_directions((20, 6), spread, 1)
    origins = torch.tensor([0.0, 2.0, 1.5]) + torch.arange(20)[:, None] * torch.tensor([0.3, 0.0, 0.0])
    seconds = torch.linspace(0.0, 3.0, 20)
    hits = cast_bundles(RayBundles(origins, directions, seconds), scene.primitives)
    for bundle in range(20):
        distance, label, instance = nearest_surface(scene, float(seconds[bundle]), origins[bundle], directions[bundle])
        torch.testing.assert_close(hits.distance_m[bundle], distance, rtol=1e-4, atol=1e-4)
        assert torch.equal(hits.labels(scene.primitives, 17)[bundle], label)
        assert torch.equal(hits.instances(scene.primitives)[bundle], instance)


def test_narrow_bundles_have_few_candidates() -> None:
    scene = sample_scene(4)
    bundles = RayBundles(torch.full((10, 3), 1.5), random_directions((10, 6), 0.01, 2), torch.zeros(10))
    assert bundle_candidates(bundles, scene.primitives).float().mean() < 0.2
