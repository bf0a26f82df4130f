import math

import torch

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import pixel_directions
from distillnerf_core.language.classes import SKY
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.perception.config import DepthConfig
from distillnerf_core.perception.images import open_distance, scatter_cameras, semantic_image, z_depth_image


def test_a_fronto_parallel_wall_has_one_depth(rig: CameraRig) -> None:
    distance = 12.0 * pixel_directions(rig).norm(dim=-1)
    torch.testing.assert_close(z_depth_image(distance, rig, DepthConfig()), torch.full_like(distance, 12.0))


def test_what_is_transparent_or_far_is_infinite(rig: CameraRig) -> None:
    distance = torch.full((3, rig.height, rig.width), 20.0)
    distance[0] = 100.0
    opacity = torch.ones_like(distance)
    opacity[1] = 0.2
    depth = z_depth_image(open_distance(distance, opacity, 0.5), rig, DepthConfig())
    assert bool(depth[:2].isposinf().all())
    assert bool(depth[2].isfinite().all())


def test_pixels_take_the_nearest_class_and_transparent_ones_the_sky(codec: FeatureCodec) -> None:
    labels = torch.tensor([[[4, 7], [17, 16]]])
    language = 2 * codec.class_features[labels].permute(0, 3, 1, 2)
    opacity = torch.tensor([[[1.0, 1.0], [1.0, 0.1]]])
    found = semantic_image(language, opacity, codec.class_features, 0.5)
    assert found.tolist() == [[[4, 7], [SKY, SKY]]]


def test_missing_cameras_are_filled() -> None:
    images = torch.arange(8.0).view(2, 2, 2)
    full = scatter_cameras(images, torch.tensor([True, False, True]), math.nan)
    assert bool(full[1].isnan().all())
    assert torch.equal(full[[0, 2]], images)
    assert scatter_cameras(images, torch.tensor([True, True]), math.nan) is images
