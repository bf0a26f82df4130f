"""Removes lens distortion from images at the size that the network wants."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.streams.camera_info import PinholeCalibration

FloatArray = NDArray[np.float64]


def scaled_matrix(calibration: PinholeCalibration, height: int, width: int) -> FloatArray:
    """Returns the pinhole matrix [3 3] of the camera's image resized to (height, width)."""
    factors = np.array([[width / calibration.width], [height / calibration.height], [1.0]])
    return np.asarray(calibration.intrinsics * factors, dtype=np.float64)


class Rectifier:
    """Undistorts images of one camera; the pinhole matrix stays the same.

    Args:
        calibration: Of the camera; one without distortion makes this a no-op.
        height: Rows of the images given to `apply`.
        width: Columns of the images given to `apply`.
    """

    def __init__(self, calibration: PinholeCalibration, height: int, width: int) -> None:
        self._maps: tuple[NDArray[np.int16], NDArray[np.uint16]] | None = None
        if not calibration.distortion_model:
            return
        matrix = scaled_matrix(calibration, height, width)
        matrix[:2, 2] -= 0.5  # OpenCV counts from pixel centres, we count from pixel corners
        coefficients = np.array(calibration.distortion)
        fisheye = calibration.distortion_model in ("equidistant", "fisheye")
        build = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
        self._maps = build(matrix, coefficients, np.eye(3), matrix, (width, height), cv2.CV_16SC2)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns the undistorted image [height width 3]; black where the camera saw nothing."""
        if self._maps is None:
            return image
        return np.asarray(cv2.remap(image, *self._maps, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
