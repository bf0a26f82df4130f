"""Folders of real frames as drives: LiDAR falls on what the cameras show, objects keep their identity."""

from pathlib import Path

import numpy as np
import pytest

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.folder_drive import FolderDrive
from distillnerf_core.data.frame_folder import FrameFolder


@pytest.fixture(params=["ddad_scene_02", "nuscenes_sample"])
def folder(request: pytest.FixtureRequest, shared_dir: Path) -> Path:
    path: Path = shared_dir / "data" / request.param
    if not path.is_dir():
        pytest.skip(f"no {path.name} in ../shared/data")
    return path


def test_agrees_with_the_frames_of_the_folder(folder: Path) -> None:
    """FrameFolder, which is checked against pictures, moves the same points into the same cameras."""
    drive, frames = FolderDrive(folder), FrameFolder(folder)
    assert isinstance(drive, Drive)
    frame = frames[len(frames) - 1]
    image = next(image for image in drive.images if image.sweep == len(frames) - 1)
    scan = drive.read_scan(len(frames) - 1)
    assert frame.lidar is not None
    reference = frame.reference_to_global
    recorded = frame.images[0]
    assert recorded.camera == image.camera
    to_camera = np.linalg.inv(recorded.ego_to_global @ recorded.camera_to_ego) @ reference
    expected = frame.lidar.points_m.double().numpy() @ to_camera[:3, :3].T + to_camera[:3, 3]
    world_to_camera = np.linalg.inv(image.camera_to_world)
    found = scan.points_m @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_array_equal(drive.read_image(image), recorded.pixels)
    assert recorded.pixels.shape[:2] == (image.height, image.width)


def test_the_world_is_the_first_ego_frame(folder: Path) -> None:
    drive = FolderDrive(folder)
    np.testing.assert_allclose(drive.ego_to_world(drive.images[0].stamp_ns), np.eye(4), atol=1e-9)


def test_objects_keep_their_identity_and_hold_points(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "ddad_scene_02"
    if not folder.is_dir():
        pytest.skip("no ddad_scene_02 in ../shared/data")
    drive = FolderDrive(folder)
    assert any(len(track.stamps_ns) == 3 for track in drive.tracks)
    scan = drive.read_scan(1)
    filled = 0
    for track in drive.tracks:
        pose = track.pose(scan.stamp_ns)
        if pose is not None:
            local = (scan.points_m - pose[:3, 3]) @ pose[:3, :3]
            filled += bool((np.abs(local) <= np.array(track.size_lwh_m) / 2).all(axis=1).sum() > 20)
    assert filled == 3  # the others are far away or hidden: 10 points at most


def test_beams_of_nuscenes_rise_from_the_lowest(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "nuscenes_sample"
    if not folder.is_dir():
        pytest.skip("no nuscenes_sample in ../shared/data")
    scan = FolderDrive(folder).read_scan(0)
    rays = scan.points_m - scan.origins_m
    slope = rays[:, 2] / np.hypot(rays[:, 0], rays[:, 1])
    medians = [np.median(slope[scan.rings == ring]) for ring in range(32)]
    assert (np.diff(medians) > 0).all()
