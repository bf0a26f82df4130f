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
    book = CalibrationBook({"CAM_FRONT": True})
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
        ({"k": np.array([1e-300, 0, 0, 0, 1e-300, 0, 0, 0, 1])}, "no camera has"),
        ({"k": np.array([1e300, 0, 0, 0, 1e300, 0, 0, 0, 1])}, "no camera has"),
        ({"k": np.array([500, 0, 1e12, 0, 500, 0, 0, 0, 1])}, "no camera has"),
        ({"k": np.ones(4)}, "expected .9, 12, 9."),
        ({"height": 0, "width": 0}, "0x0 pixels"),
        ({"height": 2**32 - 1}, "above 65535 pixels"),
        ({"roi": roi(1500, 0, 800, 400)}, "region of interest of 800x400"),
        ({"d": np.zeros(10**6)}, "1000000 coefficients"),
        ({"d": np.full(5, 1e200)}, "above 1e"),
        ({"d": np.ones(5), "distortion_model": "mystery"}, "'mystery' is not supported"),
        ({"d": np.ones(3)}, "3 coefficients"),
    ],
)
def test_unusable_calibrations_name_the_topic(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CalibrationError, match=words) as caught:
        pinhole_from_camera_info(info(**changes), TOPIC, False)
    assert TOPIC in str(caught.value)


def test_a_bad_camera_info_is_reported_once_and_forgets_the_old_one() -> None:
    book = CalibrationBook({"CAM_FRONT": True})
    book.take("CAM_FRONT", info(), TOPIC)
    bad = info(k=np.zeros(9))
    with pytest.raises(CalibrationError):
        book.take("CAM_FRONT", bad, TOPIC)
    book.take("CAM_FRONT", bad, TOPIC)
    assert book.calibration("CAM_FRONT") is None
    assert book.frame("CAM_FRONT") == "CAM_FRONT"


def test_calibration_files(tmp_path: Any) -> None:
    path = tmp_path / "calibration.json"
    path.write_text('{"cameras": {"CAM_FRONT": {"width": 4, "height": 3, "K": [[2,0,2],[0,2,1.5],[0,0,1]]}}}')
    assert read_calibration_file(path)["CAM_FRONT"].width == 4
    for text in ("{}", "nonsense", '{"cameras": {"A": {"width": 4, "height": 3, "K": [[0,0,2],[0,2,1.5],[0,0,1]]}}}'):
        path.write_text(text)
        with pytest.raises(CalibrationError, match=r"calibration\.json"):
            read_calibration_file(path)


def test_a_fisheye_without_distortion_is_a_fisheye() -> None:
    raw = pinhole_from_camera_info(info(d=np.zeros(4), distortion_model="equidistant"), TOPIC, False)
    assert raw.lens.is_fisheye
    assert pinhole_from_camera_info(info(d=np.zeros(5)), TOPIC, False).distortion_model == ""


def test_raw_images_are_pinhole_images_where_rectification_is_off() -> None:
    message = info(d=np.array([0.1, 0.0, 0.0, 0.0, 0.0]))
    read = pinhole_from_camera_info(message, TOPIC, False, undistort=False)
    assert (read.distortion_model, read.distortion) == ("", ())
    np.testing.assert_allclose(read.intrinsics, K)


def test_calibration_files_name_their_distortion_model(tmp_path: Any) -> None:
    path = tmp_path / "calibration.json"
    entry = '{"width": 4, "height": 3, "K": [[2,0,2],[0,2,1.5],[0,0,1]], "distortion": [0, 0, 0, 0]%s}'
    path.write_text('{"cameras": {"A": ' + entry % ', "distortion_model": "equidistant"' + "}}")
    assert read_calibration_file(path)["A"].lens.is_fisheye
    path.write_text('{"cameras": {"A": ' + entry % "" + "}}")
    assert read_calibration_file(path)["A"].distortion_model == ""
    path.write_text(
        '{"cameras": {"A": '
        + (entry % ', "distortion_model": "mystery"').replace("[0, 0, 0, 0]", "[1, 0, 0, 0]")
        + "}}"
    )
    with pytest.raises(CalibrationError, match="mystery"):
        read_calibration_file(path)
