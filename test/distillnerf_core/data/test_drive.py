"""Tracks are interpolated between their poses and end where the labels end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.data.drive import BoxTrack

SECOND = 1_000_000_000


def turning_track() -> BoxTrack:
    """Drives 10 m along x in one second while it turns left by 90 degrees."""
    start, end = np.eye(4), np.eye(4)
    end[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]
    end[0, 3] = 10.0
    return BoxTrack("a", "car", (4.0, 2.0, 1.5), np.array([0, SECOND]), np.stack([start, end]))


@given(fraction=st.floats(0.0, 1.0))
def test_place_and_heading_are_interpolated(fraction: float) -> None:
    pose = turning_track().pose(round(fraction * SECOND))
    assert pose is not None
    angle = fraction * np.pi / 2
    np.testing.assert_allclose(pose[:3, 3], [10 * fraction, 0, 0], atol=1e-6)
    np.testing.assert_allclose(pose[:2, 0], [np.cos(angle), np.sin(angle)], atol=1e-6)


@pytest.mark.parametrize(("seconds", "there"), [(-0.2, True), (-0.4, False), (1.2, True), (1.4, False)])
def test_a_track_ends_soon_after_its_labels(seconds: float, there: bool) -> None:
    pose = turning_track().pose(round(seconds * SECOND))
    assert (pose is not None) == there
    if pose is not None:
        assert pose[0, 3] in (0.0, 10.0)


def test_what_stands_does_not_move() -> None:
    standing = BoxTrack("b", "car", (4.0, 2.0, 1.5), np.array([0, SECOND]), np.stack([np.eye(4)] * 2))
    assert turning_track().moves
    assert not standing.moves
