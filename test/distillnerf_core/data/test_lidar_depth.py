"""LiDAR depth images equal the published ones, and the two kinds of depth are those of the same points."""

from pathlib import Path

import numpy as np
import pytest
import torch
from plane_drive import HEIGHT, STEP_NS, WIDTH, PlaneDrive

from distillnerf_core.data.drive_frames import sweep_rig
from distillnerf_core.data.lidar_depth import nearest_scan, project_depth, sweep_lidar_depth
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.rays import ray_distance_to_z_depth

DRIVE = PlaneDrive()


def test_depth_equals_the_published_image(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "lidar_depth_image.npz")
    points = golden["points"][:, :3].astype(np.float64)
    points = points[(np.abs(points) <= (80, 80, 6.4)).all(axis=1)]
    matrix = golden["lidar2img"].astype(np.float64)
    intrinsics = np.array([[506.0, 0, 326], [0, 506, 196], [0, 0, 1]])
    camera_from_lidar = np.eye(4)
    camera_from_lidar[:3] = np.linalg.inv(intrinsics) @ matrix[:3]
    intrinsics[:2, 2] += 0.5  # the published pixels have their centres at integers
    size = int(golden["ori_shape"][0]), int(golden["ori_shape"][1])
    camera_to_lidar = np.asarray(np.linalg.inv(camera_from_lidar), dtype=np.float64)
    z_depth, distance = project_depth(points, camera_to_lidar, intrinsics, size, (18, 32))
    expected = golden["gt_depth_img"][0, 0]
    assert 200 < int(np.isfinite(expected).sum()) < expected.size
    np.testing.assert_allclose(z_depth.numpy(), expected, atol=1e-5)
    assert torch.equal(distance.isnan(), z_depth.isnan())


def test_both_kinds_are_of_the_same_points() -> None:
    truth = sweep_lidar_depth(DRIVE, 2, HEIGHT // 2, WIDTH // 2)
    known = ~truth.z_depth_m.isnan()
    assert 0.2 < float(known.float().mean()) < 0.8
    assert torch.equal(known, ~truth.ray_distance_m.isnan())
    assert bool((truth.ray_distance_m[known] >= truth.z_depth_m[known]).all())
    assert float((truth.ray_distance_m - truth.z_depth_m)[known].max()) > 0.2
    assert truth.age_ns == (10_000_000, 40_000_000)


@pytest.mark.parametrize("missing", ["front", "left"])
def test_the_points_of_pixel_centres_convert_exactly(missing: str) -> None:
    """With one camera; where two overlap, a pixel may hold a point of the other's, which is off its centre."""
    drive = PlaneDrive(missing=((2, missing),))
    truth = sweep_lidar_depth(drive, 2, HEIGHT // 2, WIDTH // 2)
    known = ~truth.z_depth_m.isnan()
    assert int(known.sum()) > 200
    converted = ray_distance_to_z_depth(truth.ray_distance_m, sweep_rig(drive, 2, HEIGHT // 2, WIDTH // 2))
    torch.testing.assert_close(converted[known], truth.z_depth_m[known], rtol=1e-5, atol=0.0)


def test_the_nearest_point_of_a_pixel_counts() -> None:
    intrinsics = np.array([[10.0, 0, 5], [0, 10, 5], [0, 0, 1]])
    points = np.array([[0.1, 0.1, 20.0], [0.05, 0.05, 7.0], [0.1, 0.1, 9.0], [0, 0, 0.5], [0, 0, 80.0], [99.0, 0, 5]])
    z_depth, distance = project_depth(points, np.eye(4), intrinsics, (10, 10), (5, 5))
    assert int(z_depth.isfinite().sum()) == 1
    assert float(z_depth[2, 2]) == 7.0
    assert float(distance[2, 2]) == pytest.approx(np.sqrt(49 + 2 * 0.05**2), rel=1e-6)


def test_rows_that_fill_no_block_are_left_out() -> None:
    """900 rows for 64 are blocks of 14: the last four rows have no target, as published."""
    intrinsics = np.array([[100.0, 0, 50], [0, 100, 450], [0, 0, 1]])
    points = np.array([[0.0, (row + 0.5 - 450) / 10, 10.0] for row in (894, 898)])
    z_depth, _ = project_depth(points, np.eye(4), intrinsics, (900, 100), (64, 10))
    assert z_depth.shape == (64, 10)
    assert z_depth.isfinite().nonzero().tolist() == [[63, 5]]


def test_errors_say_what_is_missing() -> None:
    with pytest.raises(DataError, match="has no LiDAR"):
        nearest_scan(PlaneDrive(lidar=False), 0)
    with pytest.raises(DataError, match="smaller than"):
        project_depth(np.zeros((1, 3)), np.eye(4), np.eye(3), (8, 8), (9, 4))
    assert nearest_scan(DRIVE, DRIVE.sweep_stamps_ns[3] + STEP_NS // 3) == 3
