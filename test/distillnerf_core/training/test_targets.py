from dataclasses import replace

import torch

from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.training.targets import pixel_targets


def test_a_coarse_pixel_shows_one_surface_and_never_a_mixture(flat_road: SupervisedFrame) -> None:
    distance = flat_road.ray_distance_m.clone()
    distance[0, :2, :2] = torch.tensor([[5.0, 50.0], [50.0, 6.0]])
    labels = flat_road.labels.clone()
    labels[0, :2, :2] = torch.tensor([[4, 15], [15, 4]], dtype=torch.uint8)
    targets = pixel_targets(replace(flat_road, ray_distance_m=distance, labels=labels), 16, 32)
    assert targets.distance_m[0, 0, 0].item() == 6.0
    assert targets.labels[0, 0, 0].item() == 4


def test_unknown_pixels_give_way_to_known_ones(flat_road: SupervisedFrame) -> None:
    distance = torch.full_like(flat_road.ray_distance_m, torch.nan)
    distance[0, 1, 1] = 7.0
    targets = pixel_targets(replace(flat_road, ray_distance_m=distance), 16, 32)
    assert targets.distance_m[0, 0, 0].item() == 7.0
    assert bool(targets.distance_m[0, 0, 1:].isnan().all())


def test_sky_stays_infinite(flat_road: SupervisedFrame) -> None:
    assert bool(pixel_targets(flat_road, 16, 32).distance_m[0, 0].isinf().all())
