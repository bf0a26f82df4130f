"""Points measured on a turning drive lie on the wall that they were measured at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.data.scan_motion import points_to_world

START = 1_700_000_000_000_000_000


def pose(stamp_ns: int, speed_m_s: float, turn_rad_s: float) -> np.ndarray:
    seconds = (stamp_ns - START) * 1e-9
    angle = turn_rad_s * seconds
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = speed_m_s * seconds, 0.0, 1.8
    return matrix


@given(speed=st.floats(-30, 30), turn=st.floats(-1, 1), seed=st.integers(0, 100))
def test_points_of_a_wall_come_back_to_the_wall(speed: float, turn: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    stamps = START + np.sort(random.integers(0, 100_000_000, 50))
    wall = np.stack([np.full(50, 20.0), random.uniform(-10, 10, 50), random.uniform(0, 5, 50)], axis=-1)
    poses = np.stack([pose(int(stamp), speed, turn) for stamp in stamps])
    local = np.einsum("nij,nj->ni", np.linalg.inv(poses), np.c_[wall, np.ones(50)])[:, :3]
    points, origins = points_to_world(local, stamps, lambda stamp: pose(stamp, speed, turn))
    np.testing.assert_allclose(points, wall, atol=1e-5)
    np.testing.assert_allclose(origins, poses[:, :3, 3], atol=1e-6)


def test_few_poses_are_asked_for() -> None:
    asked: list[int] = []

    def look_up(stamp: int) -> np.ndarray:
        asked.append(stamp)
        return pose(stamp, 10.0, 0.5)

    stamps = START + np.arange(10_000, dtype=np.int64) * 10_000
    points_to_world(np.ones((10_000, 3)), stamps, look_up)
    assert len(asked) == 11
    assert (asked[0], asked[-1]) == (stamps[0], stamps[-1])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_points_of_one_instant(count: int) -> None:
    points, origins = points_to_world(
        np.ones((count, 3)), np.full(count, START + 10**9), lambda stamp: pose(stamp, 2.0, 0.0)
    )
    np.testing.assert_allclose(points, np.tile([3.0, 1.0, 2.8], (count, 1)))
    np.testing.assert_allclose(origins, np.tile([2.0, 0.0, 1.8], (count, 1)))
