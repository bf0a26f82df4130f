import math

import numpy as np
import pytest
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.camera_info import PinholeCalibration
from distillnerf_core.streams.camera_view import CameraView
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.message_factory import MessageFactory

SIZE = (24, 44)
MATRIX = np.array([[120.0, 0.0, 88.0], [0.0, 120.0, 48.0], [0.0, 0.0, 1.0]])
PINHOLE = PinholeCalibration(96, 176, MATRIX, "", (), np.eye(3))


def bottom(shape: tuple[int, int], share: float) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    mask[round(shape[0] * (1 - share)) :] = 255
    return mask


@pytest.mark.parametrize("shape", [(96, 176), (960, 1760), (12, 22)])
def test_masked_pixels_are_black_and_not_valid_at_any_size_of_the_mask(shape: tuple[int, int]) -> None:
    view = CameraView("left", PINHOLE, SIZE, 110.0, bottom(shape, 0.25))
    expected = np.ones(SIZE, bool)
    expected[18:] = False
    np.testing.assert_array_equal(view.valid, expected)
    message = MessageFactory().image(1, "left", np.full((96, 176, 3), 200, np.uint8), "rgb8")
    image = view.image(message, ImageDecoder())
    np.testing.assert_array_equal(image, 200 * np.repeat(expected[..., None], 3, axis=-1))


def test_a_pixel_that_the_body_only_touches_is_masked() -> None:
    mask = np.zeros((96, 176), np.uint8)
    mask[50, 60] = 255
    view = CameraView("left", PINHOLE, SIZE, 110.0, mask)
    assert view.valid is not None
    assert np.argwhere(~view.valid).tolist() == [[12, 15]]


def test_a_mask_is_straightened_with_its_image() -> None:
    """Body below a cone of 20 degrees around a fisheye's axis is outside a circle of tan(20 degrees)."""
    fisheye = np.array([[200.0, 0, 320], [0, 200, 240], [0, 0, 1]])
    lens = PinholeCalibration(480, 640, fisheye, "equidistant", (0.0,) * 4, np.eye(3))
    rows, columns = np.mgrid[0:480, 0:640] + 0.5
    body = np.where(np.hypot(columns - 320, rows - 240) > 200 * math.radians(20), 255, 0).astype(np.uint8)
    view = CameraView("left", lens, SIZE, 110.0, body)
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]] + 0.5
    matrix = view.intrinsics
    radius = np.hypot((columns - matrix[0, 2]) / matrix[0, 0], (rows - matrix[1, 2]) / matrix[1, 1])
    pixel = 1 / matrix[0, 0]
    assert view.valid is not None
    assert view.valid[radius < math.tan(math.radians(20)) - 1.5 * pixel].all()
    assert not view.valid[radius > math.tan(math.radians(20)) + 0.1 * pixel].any()


def test_black_masks_cost_nothing_and_white_ones_take_the_camera_away() -> None:
    assert CameraView("left", PINHOLE, SIZE, 110.0, np.zeros((96, 176), np.uint8)).valid is None
    with pytest.raises(CalibrationError, match="leave no pixel"):
        CameraView("left", PINHOLE, SIZE, 110.0, np.full((96, 176), 255, np.uint8))


def test_an_image_of_another_size_than_its_calibration_is_refused() -> None:
    message = MessageFactory().image(1, "left", np.zeros((48, 88, 3), np.uint8), "rgb8")
    with pytest.raises(CalibrationError, match=r"88x48.*176x96"):
        CameraView("left", PINHOLE, SIZE, 110.0, None).image(message, ImageDecoder())


def test_the_buffer_of_a_message_is_never_written() -> None:
    """A raw image of exactly the wanted size is not copied by the decoder."""
    pixels = np.full((*SIZE, 3), 200, np.uint8)
    small = PinholeCalibration(*SIZE, MATRIX / 4, "", (), np.eye(3))
    message = MessageFactory().image(1, "left", pixels, "rgb8")
    assert CameraView("left", small, SIZE, 110.0, bottom(SIZE, 0.5)).image(message, ImageDecoder())[-1].max() == 0
    assert pixels.min() == 200
