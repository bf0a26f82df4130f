"""`sensor_msgs/CameraInfo` to the calibration of one pinhole image."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.message_fields import float_array

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
_COEFFICIENT_COUNTS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
    "fisheye": (4,),
}
_ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class PinholeCalibration:
    """A camera as the frames use it: after rectification, at the size of its images.

    Attributes:
        height: Rows of the camera's images.
        width: Columns of the camera's images.
        intrinsics: Pinhole matrix [3 3] of the (rectified) image.
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


def pinhole_from_camera_info(message: Any, topic: str, rectified: bool) -> PinholeCalibration:
    """Reads a CameraInfo: P for rectified images, K and D for raw ones; applies ROI and binning.

    Args:
        message: `sensor_msgs/CameraInfo`, live or from a bag.
        topic: Its topic, for error messages.
        rectified: Whether the images that it describes are rectified already.

    Raises:
        CalibrationError: Naming the topic, where the matrices or coefficients cannot be used.
    """
    k, p = float_array(message.k), float_array(message.p)
    rotation, coefficients = float_array(message.r), float_array(message.d)
    if not all(np.isfinite(values).all() for values in (k, p, rotation, coefficients)):
        raise CalibrationError(f"{topic}: CameraInfo has numbers that are not finite; calibrate the camera")
    if k[0] <= 0 or k[4] <= 0:
        raise CalibrationError(
            f"{topic}: CameraInfo has K[0] = {k[0]:g} and K[4] = {k[4]:g}, so the camera is not calibrated; "
            "publish its calibration or set a calibration file"
        )
    model, distortion = _distortion(message, coefficients, topic)
    use_projection = rectified and p[0] > 0 and p[5] > 0
    matrix = p.reshape(3, 4)[:, :3].copy() if use_projection else k.reshape(3, 3).copy()
    height, width = _crop_and_bin(matrix, message, topic)
    return PinholeCalibration(
        height=height,
        width=width,
        intrinsics=matrix,
        distortion_model="" if rectified else model,
        distortion=() if rectified else distortion,
        camera_from_image=_rotation(rotation, topic).T if use_projection else np.eye(3),
    )


def _crop_and_bin(matrix: FloatArray, message: Any, topic: str) -> tuple[int, int]:
    roi = message.roi
    height, width = int(roi.height) or int(message.height), int(roi.width) or int(message.width)
    bin_x, bin_y = max(1, int(message.binning_x)), max(1, int(message.binning_y))
    matrix[0, 2] -= int(roi.x_offset)
    matrix[1, 2] -= int(roi.y_offset)
    matrix[0] /= bin_x
    matrix[1] /= bin_y
    if height // bin_y < 1 or width // bin_x < 1:
        raise CalibrationError(f"{topic}: CameraInfo gives an image of {width}x{height} pixels; set its size")
    return height // bin_y, width // bin_x


def _distortion(message: Any, coefficients: FloatArray, topic: str) -> tuple[str, tuple[float, ...]]:
    if not coefficients.any():
        return "", ()
    model = str(message.distortion_model) or "plumb_bob"
    if model not in _COEFFICIENT_COUNTS:
        known = ", ".join(_COEFFICIENT_COUNTS)
        raise CalibrationError(f"{topic}: distortion model {model!r} is not supported; use one of {known}")
    expected = _COEFFICIENT_COUNTS[model]
    if len(coefficients) not in expected:
        raise CalibrationError(f"{topic}: model {model} with {len(coefficients)} coefficients, expected {expected}")
    return model, tuple(float(value) for value in coefficients)


def _rotation(values: FloatArray, topic: str) -> FloatArray:
    rotation = values.reshape(3, 3)
    product_error = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if product_error > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        logger.warning("%s: the rectification matrix R is no rotation; the identity is used instead", topic)
        return np.eye(3)
    return rotation
