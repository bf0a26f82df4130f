"""A sweep becomes a frame whose extrinsics hold the motion between the exposures."""

from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from plane_drive import HEIGHT, WIDTH, PlaneDrive, see

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.drive_frames import drive_frame, sweep_rig
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.cameras import CameraRig

DRIVE = PlaneDrive()


def test_the_plane_is_a_drive() -> None:
    assert isinstance(DRIVE, Drive)


@pytest.mark.parametrize("reference", [None, DRIVE.sweep_stamps_ns[0], DRIVE.sweep_stamps_ns[4] + 12_345_678])
def test_seen_through_the_extrinsics_the_world_is_in_its_place(reference: int | None) -> None:
    frame = drive_frame(DRIVE, 2, HEIGHT, WIDTH, reference)
    assert frame.stamp_ns == (reference or DRIVE.sweep_stamps_ns[2])
    assert frame.camera_stamps_ns == (DRIVE.sweep_stamps_ns[2], DRIVE.sweep_stamps_ns[2] - 30_000_000)
    ego_to_world = torch.from_numpy(DRIVE.ego_to_world(frame.stamp_ns))
    for index in range(2):
        pose = ego_to_world @ frame.rig.camera_to_ego[index].double()
        rig = frame.rig.select([index])
        double = CameraRig(rig.names, rig.intrinsics.double(), pose[None], HEIGHT, WIDTH)
        colors, _ = see(pose, double)
        assert float((colors - frame.images[index]).abs().max()) < 0.6 / 255


def test_another_camera_time_moves_the_extrinsic() -> None:
    """8 m/s forward during 30 ms: the left camera was 0.24 m behind where it is mounted."""
    rig = drive_frame(DRIVE, 2, HEIGHT, WIDTH).rig
    image = DRIVE.images[5]
    mounted = np.linalg.inv(DRIVE.ego_to_world(image.stamp_ns)) @ image.camera_to_world
    moved = rig.camera_to_ego[1, :3, 3].double().numpy() - mounted[:3, 3]
    assert moved[0] == pytest.approx(-0.24, abs=0.02)


def test_intrinsics_follow_the_size() -> None:
    rig = sweep_rig(DRIVE, 0, HEIGHT // 2, WIDTH // 4)
    torch.testing.assert_close(rig.intrinsics[0], torch.tensor([[10.0, 0, 8], [0, 20, 8], [0, 0, 1]]))


@pytest.mark.parametrize(("resize", "method"), [("area", cv2.INTER_AREA), ("bilinear", cv2.INTER_LINEAR)])
def test_images_are_resized_as_asked(resize: Literal["area", "bilinear"], method: int) -> None:
    frame = drive_frame(DRIVE, 1, 12, 20, resize=resize)
    expected = cv2.resize(DRIVE.read_image(DRIVE.images[3]), (20, 12), interpolation=method)
    assert torch.equal((frame.images[1] * 255).round().byte(), torch.from_numpy(expected).permute(2, 0, 1))


def test_a_missing_camera_is_masked_out() -> None:
    frame = drive_frame(PlaneDrive(missing=((1, "front"),)), 1, HEIGHT, WIDTH)
    assert frame.camera_mask.tolist() == [False, True] and frame.camera_stamps_ns[0] == 0
    assert frame.rig.names == ("front", "left") and not frame.images[0].any()
    assert frame.visible().rig.names == ("left",)


def test_sweeps_that_are_not_there_are_named() -> None:
    with pytest.raises(DataError, match="no sweep 7; there are 7"):
        drive_frame(DRIVE, 7, HEIGHT, WIDTH)
    gone = PlaneDrive(missing=((1, "front"), (1, "left")))
    with pytest.raises(DataError, match="sweep 1 has no image"):
        drive_frame(gone, 1, HEIGHT, WIDTH)
