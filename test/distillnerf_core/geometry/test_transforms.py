import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from distillnerf_core.geometry.transforms import (
    interpolate_rigid,
    invert_rigid,
    quaternion_from_matrix,
    rigid_from_quaternion,
    transform_points,
)

SEEDS = st.integers(0, 10_000)


def random_pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rigid_from_quaternion(rng.normal(size=3) * 10, rng.normal(size=4))


@given(SEEDS)
def test_quaternions_round_trip(seed: int) -> None:
    matrix = random_pose(seed)
    again = rigid_from_quaternion(matrix[:3, 3], quaternion_from_matrix(matrix[:3, :3]))
    np.testing.assert_allclose(again, matrix, atol=1e-12)


@given(SEEDS)
def test_the_inverse_undoes_the_motion(seed: int) -> None:
    pose = torch.from_numpy(random_pose(seed))
    points = torch.randn(5, 3, dtype=torch.float64)
    there = transform_points(pose, points)
    torch.testing.assert_close(transform_points(invert_rigid(pose), there), points)


@given(SEEDS, st.floats(0.0, 1.0))
def test_interpolation_agrees_with_scipy(seed: int, fraction: float) -> None:
    first, second = random_pose(seed), random_pose(seed + 1)
    both = Rotation.from_matrix(np.stack((first[:3, :3], second[:3, :3])))
    expected = Slerp([0.0, 1.0], both)(fraction).as_matrix()
    blended = interpolate_rigid(first, second, fraction)
    np.testing.assert_allclose(blended[:3, :3], expected, atol=1e-9)
    np.testing.assert_allclose(blended[:3, 3], (1 - fraction) * first[:3, 3] + fraction * second[:3, 3], atol=1e-9)
