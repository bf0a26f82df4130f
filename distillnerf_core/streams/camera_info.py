"""`sensor_msgs/CameraInfo` to the calibration of one image."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.lens import FISHEYE_MODELS, Lens
from distillnerf_core.streams.message_fields import float_array

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
_COEFFICIENT_COUNTS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
    "fisheye": (4,),
}
_MOST_COEFFICIENTS = 14
_ROTATION_TOLERANCE = 1e-3
MAX_SIDE_PX = 65_535
"""Longest side of an image that a calibration may be for."""
MAX_FOCAL_PX = 1e6
"""Largest focal length, offset of the principal point, and coefficient; beyond, a CameraInfo is nonsense."""


@dataclass(frozen=True)
class PinholeCalibration:
    """A camera as its images come: cropped and binned, and distorted unless it says otherwise.

    Attributes:
        height: Rows of the camera's images.
        width: Columns of the camera's images.
        intrinsics: Matrix [3 3] of the image.
        distortion_model: Model that still has to be removed, "" where the image is a pinhole image already.
        distortion: Coefficients of that model.
        camera_from_image: Rotation [3 3] from the axes of the image to those of the camera's frame; the
            identity except for stereo-rectified images.
    """

    height: int
    width: int
    intrinsics: FloatArray
    distortion_model: str
    distortion: tuple[float, ...]
    camera_from_image: FloatArray

    @property
    def lens(self) -> Lens:
        """The distortion that still has to be removed."""
        return Lens(self.distortion_model, self.distortion)


def pinhole_from_camera_info(message: Any, topic: str, rectified: bool, undistort: bool = True) -> PinholeCalibration:
    """Reads a CameraInfo: P for rectified images, K and D for raw ones; applies ROI and binning.

    K and P count pixels of the full sensor image. A region of interest moves the principal point, binning then
    divides both focal lengths and the principal point; D is free of pixels and stays.

    Args:
        message: `sensor_msgs/CameraInfo`, live or from a bag.
        topic: Its topic, for error messages.
        rectified: Whether the images that it describes are rectified already.
        undistort: Whether the distortion of raw images is to be removed; else they are taken for pinhole images.

    Raises:
        CalibrationError: Naming the topic, where the matrices or coefficients cannot be used.
    """
    k, p, rotation, coefficients = _numbers(message, topic)
    if k[0] <= 0 or k[4] <= 0:
        raise CalibrationError(
            f"{topic}: CameraInfo has K[0] = {k[0]:g} and K[4] = {k[4]:g}, so the camera is not calibrated; "
            "publish its calibration or set a calibration file"
        )
    model, distortion = read_distortion(str(message.distortion_model), coefficients, topic)
    use_projection = rectified and p[0] > 0 and p[5] > 0
    matrix = _pinhole_matrix(p.reshape(3, 4) if use_projection else k.reshape(3, 3))
    height, width = _crop_and_bin(matrix, message, topic)
    _check_matrix(matrix, topic)
    pinhole = rectified or not undistort
    return PinholeCalibration(
        height=height,
        width=width,
        intrinsics=matrix,
        distortion_model="" if pinhole else model,
        distortion=() if pinhole else distortion,
        camera_from_image=_rotation(rotation, topic).T if use_projection else np.eye(3),
    )


def read_distortion(model: str, coefficients: FloatArray, where: str) -> tuple[str, tuple[float, ...]]:
    """Checks a distortion model; no coefficients, or zeros of a model that is no fisheye, are a pinhole camera ("").

    Raises:
        CalibrationError: Where the model is unknown, or has another number of coefficients.
    """
    if len(coefficients) == 0 or (model not in FISHEYE_MODELS and not coefficients.any()):
        return "", ()
    model = model or "plumb_bob"
    if model not in _COEFFICIENT_COUNTS:
        known = ", ".join(_COEFFICIENT_COUNTS)
        raise CalibrationError(f"{where}: distortion model {model[:40]!r} is not supported; use one of {known}")
    expected = _COEFFICIENT_COUNTS[model]
    if len(coefficients) not in expected:
        raise CalibrationError(f"{where}: model {model} with {len(coefficients)} coefficients, expected {expected}")
    if np.abs(coefficients).max() > MAX_FOCAL_PX:
        raise CalibrationError(f"{where}: distortion coefficients above {MAX_FOCAL_PX:g}; calibrate the camera")
    return model, tuple(float(value) for value in coefficients)


def _numbers(message: Any, topic: str) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    sizes = tuple(len(values) for values in (message.k, message.p, message.r))
    if sizes != (9, 12, 9):
        raise CalibrationError(f"{topic}: CameraInfo with {sizes} numbers in K, P and R, expected (9, 12, 9)")
    if len(message.d) > _MOST_COEFFICIENTS:
        raise CalibrationError(f"{topic}: CameraInfo with {len(message.d)} coefficients in D; calibrate the camera")
    k, p, r, d = (float_array(values) for values in (message.k, message.p, message.r, message.d))
    if not all(np.isfinite(values).all() for values in (k, p, r, d)):
        raise CalibrationError(f"{topic}: CameraInfo has numbers that are not finite; calibrate the camera")
    return k, p, r, d


def _pinhole_matrix(values: FloatArray) -> FloatArray:
    matrix = np.eye(3)
    matrix[:2] = values[:2, :3]
    matrix[1, 0] = 0.0
    return matrix


def _check_matrix(matrix: FloatArray, topic: str) -> None:
    focal = matrix[[0, 1], [0, 1]]
    if focal.min() < 1.0 or np.abs(matrix).max() > MAX_FOCAL_PX:
        raise CalibrationError(
            f"{topic}: CameraInfo gives focal lengths {focal[0]:g}, {focal[1]:g} and the principal point "
            f"{matrix[0, 2]:g}, {matrix[1, 2]:g} in pixels, which no camera has; calibrate the camera"
        )


def _crop_and_bin(matrix: FloatArray, message: Any, topic: str) -> tuple[int, int]:
    roi = message.roi
    full = int(message.height), int(message.width)
    height, width = int(roi.height) or full[0], int(roi.width) or full[1]
    bin_x, bin_y = max(1, int(message.binning_x)), max(1, int(message.binning_y))
    if max(*full, height, width) > MAX_SIDE_PX:
        raise CalibrationError(f"{topic}: CameraInfo is for an image above {MAX_SIDE_PX} pixels a side; set its size")
    if full[0] and full[1] and (int(roi.y_offset) + height > full[0] or int(roi.x_offset) + width > full[1]):
        raise CalibrationError(
            f"{topic}: CameraInfo has a region of interest of {width}x{height} at ({roi.x_offset}, {roi.y_offset}) "
            f"in an image of {full[1]}x{full[0]} pixels; give the size of the full image in width and height"
        )
    matrix[0, 2] -= int(roi.x_offset)
    matrix[1, 2] -= int(roi.y_offset)
    matrix[0] /= bin_x
    matrix[1] /= bin_y
    if height // bin_y < 1 or width // bin_x < 1:
        raise CalibrationError(f"{topic}: CameraInfo gives an image of {width}x{height} pixels; set its size")
    return height // bin_y, width // bin_x


def _rotation(values: FloatArray, topic: str) -> FloatArray:
    rotation = values.reshape(3, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        product_error = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if not product_error <= _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        logger.warning("%s: the rectification matrix R is no rotation; the identity is used instead", topic)
        return np.eye(3)
    return rotation
