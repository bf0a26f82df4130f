import torch

from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.training.augmentation import draw_exposures, mirror


def test_a_mirrored_pixel_sees_the_mirrored_point(flat_road: SupervisedFrame) -> None:
    mirrored = mirror(flat_road)
    rays, other = camera_rays(flat_road.frame.rig), camera_rays(mirrored.frame.rig)
    flip = torch.tensor([1.0, -1.0, 1.0])
    torch.testing.assert_close(other.directions.flip(2), rays.directions * flip, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.origins_m.flip(2), rays.origins_m * flip)
    torch.testing.assert_close(torch.linalg.det(mirrored.frame.rig.camera_to_ego), torch.ones(2))


def test_mirroring_twice_changes_nothing(flat_road: SupervisedFrame) -> None:
    twice = mirror(mirror(flat_road))
    torch.testing.assert_close(twice.frame.rig.camera_to_ego, flat_road.frame.rig.camera_to_ego)
    torch.testing.assert_close(twice.frame.rig.intrinsics, flat_road.frame.rig.intrinsics)
    assert torch.equal(twice.occupancy, flat_road.occupancy)
    assert torch.equal(twice.frame.images, flat_road.frame.images)


def test_exposures_stay_colours_and_differ_between_cameras() -> None:
    images = torch.full((2, 3, 4, 4), 0.5)
    varied = draw_exposures(2, torch.Generator().manual_seed(0)).apply(images)
    assert 0.0 <= varied.min().item() <= varied.max().item() <= 1.0
    assert not torch.allclose(varied[0], varied[1])
