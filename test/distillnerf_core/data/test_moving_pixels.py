"""Outlines of moving objects in images."""

from dataclasses import replace

import numpy as np
from analytic_drive import AnalyticDrive, Block

from distillnerf_core.data.moving_pixels import moving_pixels

CAR = Block((10.0, -1.0, 0.0), (14.0, 1.0, 1.6), velocity_m_s=(2.0, 0.0, 0.0), track="car")
PARKED = Block((10.0, 3.0, 0.0), (14.0, 5.0, 1.6), track="parked")
DRIVE = AnalyticDrive((CAR, PARKED), speed_m_s=0.0, seconds=1.0)


def test_only_what_moves_is_covered_and_all_of_it() -> None:
    image = DRIVE.images[1]
    mask = moving_pixels(DRIVE, image, image.height, image.width)
    view = (image.camera_to_world, image.intrinsics, image.height, image.width, image.stamp_ns)
    whole = DRIVE.render(*view)[1]
    car = replace(DRIVE, blocks=(PARKED,)).render(*view)[1] != whole
    parked = replace(DRIVE, blocks=(CAR,)).render(*view)[1] != whole
    assert car.sum() > 20 and mask[car].all()
    assert not mask[parked].any()
    assert mask.sum() < 2.0 * car.sum()


def test_the_mask_follows_the_size_of_the_image() -> None:
    image = DRIVE.images[0]
    full = moving_pixels(DRIVE, image, image.height, image.width)
    half = moving_pixels(DRIVE, image, 22, 40)
    assert half.shape == (22, 40)
    np.testing.assert_allclose(half.mean(), full.mean(), rtol=0.35)


def test_objects_behind_or_around_the_camera_do_no_harm() -> None:
    behind = AnalyticDrive((replace(CAR, lower_m=(-20.0, -1.0, 0.0), upper_m=(-15.0, 1.0, 2.0)),), seconds=0.5)
    assert not moving_pixels(behind, behind.images[0], 45, 80).any()
    around = AnalyticDrive((replace(CAR, lower_m=(-2.0, -1.0, 0.0), upper_m=(6.0, 1.0, 3.0)),), seconds=0.5)
    assert moving_pixels(around, around.images[0], 45, 80).all()
