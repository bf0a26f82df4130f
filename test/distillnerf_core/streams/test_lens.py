import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.streams.lens import Lens

WIDE = Lens("equidistant", (0.05, -0.01, 0.002, -0.0005))


def test_a_pinhole_images_tangents() -> None:
    tangents = np.array([[0.3, -0.2], [2.0, 1.0]])
    np.testing.assert_array_equal(Lens("", ()).distort(tangents), tangents)


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [
        ("plumb_bob", (-0.3, 0.1, 0.001, -0.002, 0.01)),
        ("rational_polynomial", (-0.25, 0.08, 0.0, 0.0, 0.01, 0.02, 0.01, 0.003)),
        ("equidistant", WIDE.coefficients),
    ],
)
def test_the_radius_is_that_of_the_distorted_point(model: str, coefficients: tuple[float, ...]) -> None:
    """Along x, where the tangential terms of the models used are zero or small."""
    lens = Lens(model, coefficients)
    angles = np.linspace(0.0, 0.7, 20)
    tangents = np.stack([np.tan(angles), np.zeros_like(angles)], axis=1)
    tangential = 0.01 if model == "plumb_bob" else 1e-9
    np.testing.assert_allclose(lens.distort(tangents)[:, 0], lens.image_radius(angles), atol=tangential)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_fisheye_points_agree_with_opencv(x: float, y: float) -> None:
    expected = cv2.fisheye.distortPoints(np.array([[[x, y]]]), np.eye(3), np.array(WIDE.coefficients))
    np.testing.assert_allclose(WIDE.distort(np.array([[x, y]])), expected[0], atol=1e-9)


def test_an_ideal_fisheye_reaches_the_angle_at_the_radius() -> None:
    lens = Lens("equidistant", (0.0, 0.0, 0.0, 0.0))
    assert lens.angle_limit(1.4) == 1.4
    assert lens.angle_limit(1.4, image_radius=0.8) == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("lens", [Lens("plumb_bob", (-0.3, 0.0, 0.0, 0.0)), Lens("equidistant", (-0.3, 0.0, 0.0, 0.0))])
def test_the_limit_is_where_the_image_folds_back(lens: Lens) -> None:
    """r (1 - 0.3 r^2) grows up to r = 1 / sqrt(0.9); r is the tangent or the angle."""
    turning = 1.0 / math.sqrt(0.9)
    limit = lens.angle_limit(1.4)
    assert (limit if lens.is_fisheye else math.tan(limit)) == pytest.approx(turning, abs=2e-3)


@given(st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=8), st.sampled_from(["plumb_bob", "equidistant"]))
def test_every_lens_has_a_limit(coefficients: list[float], model: str) -> None:
    count = 4 if model == "equidistant" else 5
    assert 0.0 <= Lens(model, tuple(coefficients[:count])).angle_limit(1.4, 0.5) <= 1.4
