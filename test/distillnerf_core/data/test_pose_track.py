"""Poses between and beyond recorded poses, against the interpolation of single pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.data.pose_track import PoseTrack
from distillnerf_core.geometry.transforms import interpolate_rigid, rigid_from_quaternion

START = 1_532_402_927_612_460_000
MS = 1_000_000


def poses(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(4)
    return [rigid_from_quaternion(random.normal(size=3) * 10, random.normal(size=4)) for _ in range(count)]


@given(time=st.integers(0, 299 * MS))
def test_between_two_poses_it_is_their_interpolation(time: int) -> None:
    placed = poses(4)
    track = PoseTrack([START + k * 100 * MS for k in range(4)], placed)
    before = time // (100 * MS)
    expected = interpolate_rigid(placed[before], placed[before + 1], time / (100 * MS) - before)
    np.testing.assert_allclose(track.at_one(START + time), expected, atol=1e-9)


def test_motion_goes_on_for_a_while_and_then_stops() -> None:
    """The poses a millisecond apart at both ends have noise of 1 cm, which must not become a speed of 10 m/s."""
    stamps = [0, 1, 60, 120, 180, 181]
    placed = [np.eye(4) for _ in stamps]
    for pose, stamp in zip(placed, stamps, strict=True):
        pose[0, 3] = 0.01 * stamp
    placed[1][0, 3] += 0.01
    placed[-2][0, 3] -= 0.01
    track = PoseTrack([START + stamp * MS for stamp in stamps], placed)
    asked = np.array([-1000, -100, -40, 221, 281, 1000]) * MS + START
    np.testing.assert_allclose(track.at(asked)[:, 0, 3], [-1.0, -1.0, -0.4, 2.21, 2.81, 2.81], atol=1e-9)


@pytest.mark.parametrize("stamp", [START - 1, START, START + 10**12])
def test_a_single_pose_holds_always(stamp: int) -> None:
    pose = poses(1)[0]
    np.testing.assert_array_equal(PoseTrack([START], [pose]).at_one(stamp), pose)
