"""What moves is taken out of the static map and put where it is at the time asked for."""

import numpy as np
from analytic_drive import START, AnalyticDrive, Block

from distillnerf_core.teachers.fusion.config import BeamConfig, MapConfig
from distillnerf_core.teachers.fusion.point_map import PointMap, inside_box

CAR = Block((8.0, -1.0, 0.3), (12.0, 1.0, 1.8), velocity_m_s=(6.0, 0.0, 0.0), track="car")
PARKED = Block((8.0, 4.0, 0.3), (12.0, 6.0, 1.8), track="parked")


def _map(drive: AnalyticDrive) -> PointMap:
    return PointMap(drive, MapConfig(), BeamConfig())


def test_a_moving_box_is_placed_where_it_is() -> None:
    point_map = _map(AnalyticDrive((CAR,)))
    for seconds in (0.0, 0.5, 1.0):
        placed = point_map.at(START + round(seconds * 1e9)).objects
        rear = placed[placed[:, 2] > 0.4, 0].min()  # above what is left of the ground
        np.testing.assert_allclose(rear, 8.0 + 6.0 * seconds, atol=0.07)
        assert len(placed) > 200


def test_it_leaves_no_trail_in_the_static_map() -> None:
    static = _map(AnalyticDrive((CAR,))).at(START).static
    on_the_way = (np.abs(static[:, 1]) < 0.9) & (static[:, 0] > 8.0) & (static[:, 2] > 0.2)
    assert not on_the_way.any()
    np.testing.assert_allclose(static[:, 2], 0.0, atol=1e-5)  # nothing but ground is static


def test_points_of_all_revolutions_make_a_moving_box_dense() -> None:
    once, often = (_map(AnalyticDrive((CAR,), seconds=seconds)).at(START).objects for seconds in (0.0, 1.0))
    assert len(often) > 2 * len(once)


def test_what_stands_in_a_box_is_placed_as_well() -> None:
    placed = _map(AnalyticDrive((PARKED,), speed_m_s=3.0)).at(START).objects
    np.testing.assert_allclose(placed[placed[:, 2] > 0.4, 0].min(), 8.0, atol=0.02)


def test_the_uppermost_beam_is_known() -> None:
    wall = Block((20.0, -60.0, -1.0), (21.0, 60.0, 50.0))
    reach = _map(AnalyticDrive((wall,))).at(START).reach
    assert reach.height_m == 1.8
    np.testing.assert_allclose(reach.slope, np.tan(np.deg2rad(10.67)), atol=0.01)


def test_only_revolutions_within_the_window_count() -> None:
    drive = AnalyticDrive(
        (Block((20.0, -60.0, -1.0), (21.0, 60.0, 50.0)),), seconds=8.0, lidar_rate_hz=0.5, speed_m_s=1
    )
    wide, narrow = (PointMap(drive, MapConfig(window_s=window), BeamConfig()).at(START).static for window in (3.0, 1.0))
    assert len(wide) > 1.5 * len(narrow)


def test_without_lidar_there_is_nothing() -> None:
    placed = _map(AnalyticDrive(lidar_rate_hz=0.0)).at(START)
    assert placed.static.shape == placed.objects.shape == (0, 3)
    assert placed.reach.slope == -np.inf


def test_a_turned_box_holds_its_points() -> None:
    pose = np.eye(4)
    pose[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]  # its length lies along world y
    pose[:3, 3] = 5.0, 0.0, 1.0
    points = np.array([[5.0, 1.9, 1.0], [6.9, 0.0, 1.0], [5.9, 0.0, 1.9], [5.0, 0.0, 2.1]])
    np.testing.assert_array_equal(inside_box(points, pose, np.array([4.0, 2.0, 2.0])), [0, 2])
