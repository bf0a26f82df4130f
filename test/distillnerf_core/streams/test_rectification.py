import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.camera_info import PinholeCalibration, pinhole_from_camera_info
from distillnerf_core.streams.camera_view import CameraView
from distillnerf_core.streams.image_decoding import ImageDecoder, resize
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.pinhole_view import pinhole_view
from distillnerf_core.streams.rectification import Rectifier

SIZE = (96, 176)
FACTORY = MessageFactory()
FISHEYE = (0.05, -0.01, 0.002, -0.0005)
LENSES: dict[str, tuple[float, ...]] = {
    "": (),
    "plumb_bob": (-0.25, 0.08, 0.001, -0.002, 0.0),
    "rational_polynomial": (-0.25, 0.08, 0.001, -0.002, 0.01, 0.02, 0.01, 0.0),
    "equidistant": FISHEYE,
}


def project(model: str, points: NDArray[Any], matrix: NDArray[Any]) -> NDArray[Any]:
    """Pixels, counted from corners, of points [n 3]; OpenCV's projection as an oracle."""
    zero, space = np.zeros(3), points[:, None]
    if model == "equidistant":
        pixels = cv2.fisheye.projectPoints(space, zero, zero, matrix, np.array(LENSES[model]))[0]
    else:
        pixels = cv2.projectPoints(space, zero, zero, matrix, np.array(LENSES[model] or (0.0,) * 4))[0]
    return np.asarray(pixels).reshape(-1, 2)


def calibration(model: str, size: tuple[int, int], matrix: NDArray[Any]) -> PinholeCalibration:
    return PinholeCalibration(*size, matrix, model, LENSES[model], np.eye(3))


def dot(size: tuple[int, int], place: NDArray[Any], sigma: float) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]] + 0.5
    bright = 255 * np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / (2 * sigma**2))
    return np.repeat(bright[..., None], 3, axis=-1).astype(np.uint8)


def center(image: NDArray[np.uint8]) -> NDArray[Any]:
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]] + 0.5
    weights = image[..., 0].astype(float)
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / float(weights.sum())


@settings(max_examples=60)
@given(
    model=st.sampled_from(sorted(LENSES)),
    angle=st.floats(0.0, 0.45),
    around=st.floats(-math.pi, math.pi),
    crop=st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)),
    binning=st.tuples(st.sampled_from([1, 2]), st.sampled_from([1, 2])),
)
def test_points_of_cropped_and_binned_raw_images_lie_where_the_pinhole_says(
    model: str, angle: float, around: float, crop: tuple[int, ...], binning: tuple[int, int]
) -> None:
    left, top, right, bottom = crop
    full = np.array([[300.0, 0.0, 330.0], [0.0, 310.0, 235.0], [0.0, 0.0, 1.0]])
    height, width = (480 - top - bottom) // binning[1], (640 - left - right) // binning[0]
    point = np.array([[math.sin(angle) * math.cos(around), math.sin(angle) * math.sin(around), math.cos(angle)]]) * 7.0
    # What the driver does: the sensor's image, cropped, then binned.
    place = (project(model, point, full)[0] - [left, top]) / binning
    image = FACTORY.image(1, "camera", dot((height, width), place, 6.0 / max(binning)), "rgb8")
    # What it says of it: the calibration of the whole sensor, and how it was cropped and binned.
    info = FACTORY.camera_info(1, "camera", (480, 640), full, distortion=LENSES[model], distortion_model=model)
    info.roi.x_offset, info.roi.y_offset = left, top
    info.roi.width, info.roi.height = 640 - left - right, 480 - top - bottom
    info.binning_x, info.binning_y = binning
    view = CameraView("camera", pinhole_from_camera_info(info, "/camera_info", False), SIZE, 110.0, None)
    found = center(view.image(image, ImageDecoder()))
    expected = (view.intrinsics @ point[0] / point[0, 2])[:2]
    assert np.abs(found - expected).max() < 0.2


def test_a_camera_without_fisheye_keeps_its_matrix() -> None:
    matrix = np.array([[300.0, 0.0, 330.0], [0.0, 310.0, 235.0], [0.0, 0.0, 1.0]])
    view = pinhole_view(calibration("plumb_bob", (480, 640), matrix), 48, 64)
    np.testing.assert_allclose(view, [[30.0, 0.0, 33.0], [0.0, 31.0, 23.5], [0.0, 0.0, 1.0]])


def test_a_fisheye_of_180_degrees_becomes_a_pinhole_of_110_with_square_pixels() -> None:
    """An ideal fisheye whose circle of 180 degrees is as wide as the image."""
    focal = 640 / math.pi
    lens = PinholeCalibration(
        480, 640, np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1.0]]), "equidistant", (0.0,) * 4, np.eye(3)
    )
    view = pinhole_view(lens, *SIZE)
    assert 2 * math.degrees(math.atan(88 / view[0, 0])) == pytest.approx(110)
    assert view[0, 0] == view[1, 1]
    np.testing.assert_allclose(view[:2, 2], [88, 48])
    rectifier = Rectifier(lens, *SIZE)
    assert rectifier.valid is None
    assert rectifier.source_size[0] > SIZE[0]


def test_pixels_that_the_lens_did_not_see_are_marked() -> None:
    """A fisheye of 60 degrees in a region of interest whose corners are beyond what it can show at 110 degrees."""
    focal = 480 / math.pi
    matrix = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1.0]])
    pincushion = PinholeCalibration(480, 640, matrix * [[2], [2], [1]], "plumb_bob", (0.4, 0.0, 0.0, 0.0), np.eye(3))
    assert Rectifier(pincushion, *SIZE).valid is not None
    folding = PinholeCalibration(480, 640, matrix, "plumb_bob", (-0.3, 0.0, 0.0, 0.0), np.eye(3))
    rectifier = Rectifier(folding, *SIZE)
    assert rectifier.valid is not None
    rows, columns = np.mgrid[0:96, 0:176] + 0.5
    view = rectifier.intrinsics
    radius = np.hypot((columns - view[0, 2]) / view[0, 0], (rows - view[1, 2]) / view[1, 1])
    turning = 1.0 / math.sqrt(0.9)
    assert rectifier.valid[radius < turning - 0.03].all()
    assert not rectifier.valid[radius > turning + 0.03].any()


def test_a_region_beside_the_axis_moves_the_principal_point() -> None:
    focal = 200.0
    matrix = np.array([[focal, 0, 40], [0, focal, 240], [0, 0, 1.0]])
    lens = PinholeCalibration(480, 320, matrix, "equidistant", (0.0,) * 4, np.eye(3))
    view = pinhole_view(lens, *SIZE)
    assert view[0, 2] < 88
    away = matrix.copy()
    away[0, 2] = -400.0
    with pytest.raises(CalibrationError, match="degrees of the optical axis"):
        pinhole_view(PinholeCalibration(480, 320, away, "equidistant", (0.0,) * 4, np.eye(3)), *SIZE)


def test_a_reduced_image_is_rectified_nearly_as_well_as_the_full_one() -> None:
    """Against every pixel of the full image, sampled eight times as densely and averaged."""
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.integers(0, 256, (960, 1280, 3), dtype=np.uint8), (0, 0), 3)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    matrix = np.array([[320.0, 0, 645.0], [0, 320.0, 485.0], [0, 0, 1.0]])
    lens = calibration("equidistant", (960, 1280), matrix)
    rectifier = Rectifier(lens, *SIZE)
    found = rectifier.apply(resize(image, rectifier.source_size)).astype(float)
    rows, columns = (np.mgrid[0 : 8 * 96, 0 : 8 * 176] + 0.5) / 8
    view = rectifier.intrinsics
    rays = np.stack(
        [(columns - view[0, 2]) / view[0, 0], (rows - view[1, 2]) / view[1, 1], np.ones_like(rows)], axis=-1
    )
    places = project("equidistant", rays.reshape(-1, 3), matrix).reshape(8 * 96, 8 * 176, 2).astype(np.float32) - 0.5
    dense = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR).astype(float)
    expected = dense.reshape(96, 8, 176, 8, 3).mean(axis=(1, 3))
    error = float(np.sqrt(np.mean((found - expected) ** 2)))
    once = cv2.resize(image, (176, 96), interpolation=cv2.INTER_AREA)
    small = (places.reshape(96, 8, 176, 8, 2).mean(axis=(1, 3)) + 0.5) * [176 / 1280, 96 / 960] - 0.5
    usual = cv2.remap(once, small[..., 0].astype(np.float32), small[..., 1].astype(np.float32), cv2.INTER_LINEAR)
    assert error < 3.0
    assert error < 0.5 * float(np.sqrt(np.mean((usual - expected) ** 2)))


def test_lines_of_a_real_garage_become_straight(shared_dir: Path) -> None:
    """The line along the parking lots beside the car: straight segments of it are long only when rectified."""
    folder = shared_dir / "data" / "fisheye_garage"
    camera = json.loads((folder / "calib.json").read_text())["cameras"]["Left"]
    image = np.asarray(cv2.imread(str(folder / "frames" / "000" / "Left.png")), np.uint8)
    rectifier = Rectifier(_equidistant_from_ocam(camera), 480, 880)
    assert rectifier.valid is None
    assert _longest_segment(rectifier.apply(resize(image, rectifier.source_size))) > 400
    assert _longest_segment(image) < 200


def _longest_segment(image: NDArray[np.uint8]) -> float:
    segments = cv2.createLineSegmentDetector().detect(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0].reshape(-1, 4)
    return float(np.hypot(*(segments[:, 2:] - segments[:, :2]).T).max())


def _equidistant_from_ocam(camera: dict[str, Any]) -> PinholeCalibration:
    angles = np.linspace(0.01, math.radians(89), 400)
    radii = sum(factor * (angles - math.pi / 2) ** power for power, factor in enumerate(camera["inv_poly"]))
    powers = np.stack([angles ** (2 * power + 1) for power in range(5)], axis=1)
    focal, *rest = np.linalg.lstsq(powers, radii, rcond=None)[0]
    matrix = np.array([[focal, 0, camera["A"][0][2] + 0.5], [0, focal, camera["A"][1][2] + 0.5], [0, 0, 1]])
    coefficients = tuple(float(value / focal) for value in rest)
    return PinholeCalibration(camera["height"], camera["width"], matrix, "equidistant", coefficients, np.eye(3))
