"""Boxes hide boxes behind them; what is beside the picture is not seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.data.box_visibility import points_inside, visible_fractions
from distillnerf_core.data.drive import DriveImage
from distillnerf_core.geometry.transforms import rigid_from_quaternion

EYE = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Looks along +x."""
MATRIX = np.array([[50.0, 0, 50], [0, 50, 50], [0, 0, 1]])
IMAGE = DriveImage("front", 0, 0, MATRIX, EYE, 100, 100)


def at(x: float, y: float, z: float = 0.0, turn: float = 0.0) -> np.ndarray:
    return rigid_from_quaternion(np.array([x, y, z]), np.array([0, 0, np.sin(turn / 2), np.cos(turn / 2)]))


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([at(20, 0)], [1.0]),
        ([at(20, 0), at(30, 0)], [1.0, 0.0]),
        ([at(30, 0), at(20, 0)], [0.0, 1.0]),
        ([at(20, 0), at(20, 8)], [1.0, 1.0]),
        ([at(-20, 0)], [0.0]),
        ([at(20, 40)], [0.0]),
        ([at(20, 20)], [0.5]),
        ([at(0, 0), at(20, 0)], [None, 1.0]),
    ],
)
def test_what_is_in_front_hides(boxes: list[np.ndarray], expected: list[float | None]) -> None:
    """At 45 degrees a box lies half beside the picture; the box around the camera itself hides nothing."""
    found = visible_fractions([IMAGE], np.stack(boxes), np.full((len(boxes), 3), 4.0))
    for value, wanted in zip(found, expected, strict=True):
        assert wanted is None or value == pytest.approx(wanted, abs=0.2)


def test_a_second_camera_sees_past_the_first_box() -> None:
    aside = EYE.copy()
    aside[1, 3] = 15.0
    second = DriveImage("left", 0, 0, MATRIX, aside, 100, 100)
    boxes, sizes = np.stack([at(20, 0), at(30, 0)]), np.full((2, 3), 4.0)
    np.testing.assert_array_equal(visible_fractions([IMAGE, second], boxes, sizes), [1.0, 1.0])
    np.testing.assert_array_equal(visible_fractions([], boxes, sizes), [0.0, 0.0])


def test_a_narrow_box_hides_a_part() -> None:
    sizes = np.array([[0.2, 1.0, 8.0], [4.0, 4.0, 4.0]])
    found = visible_fractions([IMAGE], np.stack([at(10, 0), at(20, 0)]), sizes)
    assert found[1] == pytest.approx(2 / 3, abs=0.01)  # the middle column of three


@given(turn=st.floats(-3, 3), along=st.floats(-2.4, 2.4), across=st.floats(-1.2, 1.2), up=st.floats(-1, 1))
def test_points_are_tested_in_the_frame_of_the_box(turn: float, along: float, across: float, up: float) -> None:
    pose = at(600.0, -40.0, 1.0, turn)
    local = np.array([along, across, up, 1.0])
    inside = points_inside((pose @ local)[None, :3], pose, (4.0, 2.0, 1.6))
    edge = min(abs(abs(along) - 2.0), abs(abs(across) - 1.0), abs(abs(up) - 0.8))
    if edge > 1e-6:
        assert inside[0] == (abs(along) < 2.0 and abs(across) < 1.0 and abs(up) < 0.8)
