"""Recorded frames: LiDAR, boxes and images agree with each other."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from distillnerf_core.data.frame_folder import FrameFolder, RecordedFrame
from distillnerf_core.data.recordings import LabelledBox
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.transforms import invert_rigid, transform_points


@pytest.fixture(scope="module")
def nuscenes(shared_dir: Path) -> RecordedFrame:
    return FrameFolder(shared_dir / "data/nuscenes_sample")[0]


def _counts(frame: RecordedFrame, boxes: list[LabelledBox]) -> torch.Tensor:
    assert frame.lidar is not None
    return torch.stack([box.contains(frame.lidar.points_m).sum() for box in boxes])


def test_boxes_hold_the_points_that_the_labels_count(nuscenes: RecordedFrame, shared_dir: Path) -> None:
    labels = json.loads((shared_dir / "data/nuscenes_sample/boxes_lidar.json").read_text())
    expected = torch.tensor([label["num_lidar_pts"] for label in labels])
    found = _counts(nuscenes, list(nuscenes.boxes))
    assert (found - expected).abs().sum() < 0.05 * expected.sum()


def test_other_readings_of_size_and_yaw_fit_worse(nuscenes: RecordedFrame, shared_dir: Path) -> None:
    labels = json.loads((shared_dir / "data/nuscenes_sample/boxes_lidar.json").read_text())
    expected = torch.tensor([label["num_lidar_pts"] for label in labels])
    swapped = [
        dataclasses.replace(box, size_lwh_m=(box.size_lwh_m[1], box.size_lwh_m[0], box.size_lwh_m[2]))
        for box in nuscenes.boxes
    ]
    mirrored = [dataclasses.replace(box, yaw=-box.yaw) for box in nuscenes.boxes]
    error = (_counts(nuscenes, list(nuscenes.boxes)) - expected).abs().sum()
    for other in (swapped, mirrored):
        assert (_counts(nuscenes, other) - expected).abs().sum() > 1.5 * error


def test_the_ground_below_the_vehicle_is_at_zero(nuscenes: RecordedFrame) -> None:
    assert nuscenes.lidar is not None
    points = nuscenes.lidar.points_m
    ahead = (points[:, 0] - 8.0).abs() < 3.0
    near = points[ahead & (points[:, 1].abs() < 1.5) & (points[:, 2] < 0.5)]
    assert len(near) > 50 and abs(float(near[:, 2].median())) < 0.15


def test_motion_between_the_sensors_is_compensated(nuscenes: RecordedFrame) -> None:
    frame = nuscenes.resized(90, 160)
    assert frame.motion_compensated and frame.stamp_ns == frame.camera_stamps_ns[frame.rig.names.index("CAM_FRONT")]
    mounted = {image.camera: image.camera_to_ego for image in nuscenes.images}
    moved = {
        name: float((frame.rig.camera_to_ego[index] - torch.from_numpy(mounted[name])).norm())
        for index, name in enumerate(frame.rig.names)
    }
    assert moved["CAM_FRONT"] < 1e-5 and 0.2 < moved["CAM_BACK_LEFT"] < 0.5


def test_images_and_intrinsics_are_resized_together(nuscenes: RecordedFrame) -> None:
    frame = nuscenes.resized(90, 160)
    assert frame.images.shape == (6, 3, 90, 160) and frame.camera_mask.all()
    assert 0.1 < float(frame.images.mean()) < 0.9
    full = torch.from_numpy(nuscenes.images[0].intrinsics).float()
    torch.testing.assert_close(frame.rig.intrinsics[0, :2], full[:2] / 10)


def test_labelled_cars_are_where_the_camera_sees_cars(nuscenes: RecordedFrame) -> None:
    """LiDAR points inside boxes project into some image; a mirrored world would lose them."""
    assert nuscenes.lidar is not None
    frame, seen, total = nuscenes.resized(900, 1600), 0, 0
    for box in nuscenes.boxes:
        inside = nuscenes.lidar.points_m[box.contains(nuscenes.lidar.points_m)]
        total += len(inside)
        in_view = torch.zeros(len(inside), dtype=torch.bool)
        for camera in range(6):
            points = transform_points(invert_rigid(frame.rig.camera_to_ego[camera]), inside)
            pixel = points @ frame.rig.intrinsics[camera].T
            u, v = pixel[:, 0] / points[:, 2], pixel[:, 1] / points[:, 2]
            in_view |= (points[:, 2] > 0) & (u > 0) & (u < 1600) & (v > 0) & (v < 900)
        seen += int(in_view.sum())
    assert total > 500 and seen > 0.97 * total


def test_a_drive_with_other_cameras_is_read(shared_dir: Path) -> None:
    folder = FrameFolder(shared_dir / "data/ddad_scene_02")
    assert len(folder) == 3 and folder.reference == "CAMERA_01"
    frames = [folder[index] for index in range(3)]
    assert [len(frame.images) for frame in frames] == [6, 6, 6]
    assert frames[1].stamp_ns - frames[0].stamp_ns == pytest.approx(100_000_000, abs=2_000_000)
    for frame in frames:
        assert frame.lidar is not None and len(frame.boxes) == 13
        assert sorted(_counts(frame, list(frame.boxes)).tolist())[-1] > 500
        assert {box.occ3d_class for box in frame.boxes} == {4, 10}


def test_boxes_in_the_global_frame_are_read(shared_dir: Path) -> None:
    frame = FrameFolder(shared_dir / "data/nuscenes_sample3")[0]
    assert frame.lidar is None and len(frame.boxes) == 10
    assert all(math.hypot(*box.center_m[:2]) < 80 and -1 < box.center_m[2] < 4 for box in frame.boxes)
    workers = [box for box in frame.boxes if "construction_worker" in box.label]
    assert workers and all(box.occ3d_class == 7 for box in workers)


def test_fisheye_cameras_are_refused_by_name(shared_dir: Path) -> None:
    with pytest.raises(DataError, match="camera Front has no 3x3 K"):
        FrameFolder(shared_dir / "data/fisheye_garage")


def test_missing_and_damaged_files_are_named(shared_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"calib\.json"):
        FrameFolder(tmp_path)
    shutil.copytree(shared_dir / "data/nuscenes_sample", tmp_path / "copy")
    copy = tmp_path / "copy"
    with pytest.raises(DataError, match="no camera 'CAM_TOP'"):
        FrameFolder(copy, reference="CAM_TOP")
    lidar = copy / "lidar/000.pcd.bin"
    whole = lidar.read_bytes()
    lidar.write_bytes(whole[:-3])
    with pytest.raises(DataError, match=r"000\.pcd\.bin"):
        FrameFolder(copy)[0]
    lidar.write_bytes(whole)
    (copy / "frames/000/CAM_BACK.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"CAM_BACK\.jpg"):
        FrameFolder(copy)[0]
    (copy / "calib.json").write_text('{"cameras": {}}')
    with pytest.raises(DataError, match="neutral layout"):
        FrameFolder(copy)


def test_a_turned_box_contains_its_own_corners() -> None:
    box = LabelledBox("car", (10.0, -3.0, 1.0), (4.0, 2.0, 1.5), math.pi / 6)
    along = torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6), 0.0])
    center = torch.tensor(box.center_m)
    points = torch.stack([center + 1.9 * along, center + 2.1 * along, center + torch.tensor([0.0, 0.0, 0.8])])
    assert box.contains(points).tolist() == [True, False, False]
