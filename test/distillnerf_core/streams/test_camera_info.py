import logging
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.calibration_book import CalibrationBook, read_calibration_file
from distillnerf_core.streams.camera_info import pinhole_from_camera_info
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.rectification import Rectifier, scaled_matrix

K = np.array([[1266.4, 0.0, 816.3], [0.0, 1266.4, 491.5], [0.0, 0.0, 1.0]])
TOPIC = "/CAM_FRONT/camera_info"


def info(**changes: Any) -> Any:
    message = MessageFactory().camera_info(10**18, "CAM_FRONT", (900, 1600), K)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def roi(x_offset: int = 0, y_offset: int = 0, width: int = 0, height: int = 0) -> SimpleNamespace:
    return SimpleNamespace(x_offset=x_offset, y_offset=y_offset, width=width, height=height, do_rectify=False)


def test_rectified_images_use_p_and_raw_images_use_k() -> None:
    p = np.concatenate([K * 0.5, np.zeros((3, 1))], axis=1)
    p[2, 2] = 1.0
    message = info(p=p.reshape(-1), d=np.array([0.1, 0.0, 0.0, 0.0, 0.0]))
    assert pinhole_from_camera_info(message, TOPIC, True).intrinsics[0, 0] == pytest.approx(633.2)
    raw = pinhole_from_camera_info(message, TOPIC, False)
    np.testing.assert_allclose(raw.intrinsics, K)
    assert (raw.distortion_model, raw.distortion[0]) == ("plumb_bob", 0.1)


def test_unset_p_falls_back_to_k_and_lists_work_as_well_as_arrays() -> None:
    message = info(p=[0.0] * 12, k=K.reshape(-1).tolist(), d=[], distortion_model="")
    np.testing.assert_allclose(pinhole_from_camera_info(message, TOPIC, True).intrinsics, K)


def test_region_of_interest_and_binning_move_and_scale_the_matrix() -> None:
    message = info(roi=roi(100, 50, 800, 400), binning_x=2, binning_y=4)
    read = pinhole_from_camera_info(message, TOPIC, True)
    assert (read.height, read.width) == (100, 400)
    point = np.array([1.0, -0.5, 10.0])
    full = K @ point / point[2]
    np.testing.assert_allclose((read.intrinsics @ point / point[2])[:2], (full[:2] - [100, 50]) / [2, 4])


def test_singular_rotation_is_the_identity_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    message = info(r=np.array([1.0, 0, 0, 1, 0, 0, 1, 0, 0]), d=[], distortion_model="")
    book = CalibrationBook(rectified=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            book.take("CAM_FRONT", message, TOPIC)
    calibration = book.calibration("CAM_FRONT")
    assert calibration is not None
    np.testing.assert_array_equal(calibration.camera_from_image, np.eye(3))
    assert len(caplog.records) == 1
    assert TOPIC in caplog.text


def test_stereo_rotation_is_kept() -> None:
    rotation, _ = cv2.Rodrigues(np.array([0.0, 0.05, 0.0]))
    read = pinhole_from_camera_info(info(r=rotation.reshape(-1)), TOPIC, True)
    np.testing.assert_allclose(read.camera_from_image, rotation.T)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": np.zeros(9)}, "not calibrated"),
        ({"k": np.full(9, np.nan)}, "not finite"),
        ({"p": np.full(12, np.inf)}, "not finite"),
        ({"height": 0, "width": 0}, "0x0 pixels"),
        ({"d": np.ones(5), "distortion_model": "mystery"}, "'mystery' is not supported"),
        ({"d": np.ones(3)}, "3 coefficients"),
    ],
)
def test_unusable_calibrations_name_the_topic(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CalibrationError, match=words) as caught:
        pinhole_from_camera_info(info(**changes), TOPIC, False)
    assert TOPIC in str(caught.value)


def test_a_bad_camera_info_is_reported_once_and_forgets_the_old_one() -> None:
    book = CalibrationBook(rectified=True)
    book.take("CAM_FRONT", info(), TOPIC)
    bad = info(k=np.zeros(9))
    with pytest.raises(CalibrationError):
        book.take("CAM_FRONT", bad, TOPIC)
    book.take("CAM_FRONT", bad, TOPIC)
    assert book.calibration("CAM_FRONT") is None
    assert book.frame("CAM_FRONT") == "CAM_FRONT"


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [
        ("plumb_bob", [-0.25, 0.08, 0.001, -0.002, 0.0]),
        ("rational_polynomial", [-0.25, 0.08, 0.001, -0.002, 0.01, 0.02, 0.01, 0.0]),
        ("equidistant", [-0.02, 0.01, -0.003, 0.001]),
    ],
)
def test_rectified_points_lie_where_the_pinhole_model_says(model: str, coefficients: list[float]) -> None:
    """A dot drawn where the lens images a 3D point must land at its pinhole projection, at a reduced size."""
    height, width = 225, 400
    read = pinhole_from_camera_info(info(d=np.array(coefficients), distortion_model=model), TOPIC, False)
    matrix = scaled_matrix(read, height, width)
    for point in ([0.8, 0.3, 4.0], [-1.2, -0.4, 3.0], [0.1, 0.9, 4.0]):
        space = np.array([[point]], dtype=np.float64)
        project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
        arguments = (space, np.zeros(3), np.zeros(3), matrix, np.array(coefficients))
        lens = np.asarray(project(*arguments)[0]).reshape(2)
        rows, columns = np.mgrid[0:height, 0:width] + 0.5
        dot = 255 * np.exp(-((columns - lens[0]) ** 2 + (rows - lens[1]) ** 2) / 8.0)
        image = np.repeat(dot[..., None], 3, axis=-1).astype(np.uint8)
        weights = Rectifier(read, height, width).apply(image)[..., 0].astype(float)
        found = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
        expected = (matrix @ np.array(point) / point[2])[:2]
        assert np.abs(found - expected).max() < 0.25


def test_calibration_files(tmp_path: Any) -> None:
    path = tmp_path / "calibration.json"
    path.write_text('{"cameras": {"CAM_FRONT": {"width": 4, "height": 3, "K": [[2,0,2],[0,2,1.5],[0,0,1]]}}}')
    assert read_calibration_file(path)["CAM_FRONT"].width == 4
    for text in ("{}", "nonsense", '{"cameras": {"A": {"width": 4, "height": 3, "K": [[0,0,2],[0,2,1.5],[0,0,1]]}}}'):
        path.write_text(text)
        with pytest.raises(CalibrationError, match=r"calibration\.json"):
            read_calibration_file(path)
