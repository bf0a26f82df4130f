"""Interpolated points lie on the planes that the beams hit, and on nothing else."""

import numpy as np
from analytic_drive import AnalyticDrive, Block

from distillnerf_core.data.drive import DriveScan
from distillnerf_core.teachers.fusion.beams import Indices, interpolate_beams
from distillnerf_core.teachers.fusion.config import BeamConfig


def _nobodys(scan: DriveScan) -> Indices:
    return np.full(len(scan.points_m), -1, dtype=np.int64)


def test_points_on_the_ground_stay_on_the_ground_however_far_the_beams_lie_apart() -> None:
    scan = AnalyticDrive().read_scan(0)
    points, lower = interpolate_beams(scan, _nobodys(scan), BeamConfig(between=4))
    np.testing.assert_allclose(points[:, 2], 0.0, atol=1e-9)
    ranges = np.hypot(points[:, 0], points[:, 1])
    assert ranges.max() > 40.0  # where neighbouring beams are 30 m apart
    joined = np.unique(scan.rings[lower])
    np.testing.assert_array_equal(joined, np.arange(len(np.unique(scan.rings)) - 1))


def test_points_between_beams_on_a_wall_lie_on_the_wall() -> None:
    wall = Block((30.0, -200.0, -1.0), (31.0, 200.0, 50.0))
    scan = AnalyticDrive((wall,), ground=False).read_scan(0)
    points, _ = interpolate_beams(scan, _nobodys(scan), BeamConfig(between=3))
    np.testing.assert_allclose(points[:, 0], 30.0, atol=1e-9)
    assert len(points) > 1000


def test_nothing_floats_between_a_box_and_the_wall_behind_it() -> None:
    wall, box = Block((30.0, -60.0, -1.0), (31.0, 60.0, 50.0)), Block((10.0, -2.0, -1.0), (10.5, 2.0, 2.0))
    scan = AnalyticDrive((wall, box), ground=False).read_scan(0)
    points, _ = interpolate_beams(scan, _nobodys(scan), BeamConfig())
    assert not ((points[:, 0] > 10.6) & (points[:, 0] < 29.9)).any()
    assert (points[:, 0] < 10.1).any()
    assert (points[:, 0] > 29.9).any()


def test_nothing_is_interpolated_where_the_beams_are_unknown() -> None:
    scan = AnalyticDrive(rings_known=False).read_scan(0)
    points, lower = interpolate_beams(scan, _nobodys(scan), BeamConfig())
    assert points.shape == (0, 3)
    assert lower.shape == (0,)


def test_an_object_is_not_joined_with_the_ground_beside_it() -> None:
    scan = AnalyticDrive((Block((8.0, -2.0, 0.0), (12.0, 2.0, 2.0)),)).read_scan(0)
    owners = np.where(scan.points_m[:, 2] > 0.01, 0, -1)
    points, lower = interpolate_beams(scan, owners, BeamConfig())
    np.testing.assert_allclose(points[owners[lower] == -1, 2], 0.0, atol=1e-9)
    assert (owners[lower] == 0).any()
