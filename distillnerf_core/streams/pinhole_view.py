"""The pinhole image that the network is given of a camera: which matrix, which part of the lens."""

import math

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.camera_info import PinholeCalibration

FloatArray = NDArray[np.float64]
MAX_FOV_DEG = 110.0
"""Largest field of view of a rectified fisheye: that of nuScenes' widest camera, which networks were trained with."""


def scaled_matrix(calibration: PinholeCalibration, height: int, width: int) -> FloatArray:
    """Returns the pinhole matrix [3 3] of the camera's image resized to (height, width)."""
    factors = np.array([[width / calibration.width], [height / calibration.height], [1.0]])
    return np.asarray(calibration.intrinsics * factors, dtype=np.float64)


def pinhole_view(
    calibration: PinholeCalibration, height: int, width: int, max_fov_deg: float = MAX_FOV_DEG
) -> FloatArray:
    """Chooses the pinhole matrix [3 3] of the rectified image of (height, width).

    A camera without fisheye lens keeps its own matrix, scaled. No pinhole image holds a fisheye's 180 degrees, so a new
    one is chosen: square pixels, the same optical axis, as much of the lens as fits the image's shape, but at most
    `max_fov_deg` across. With a region of interest beside the axis the principal point lies beside the centre, too.

    Raises:
        CalibrationError: If the image shows nothing within half of `max_fov_deg` of the optical axis.
    """
    if not calibration.lens.is_fisheye:
        return scaled_matrix(calibration, height, width)
    left, right = _tangent_range(calibration, 0, calibration.width, max_fov_deg)
    top, bottom = _tangent_range(calibration, 1, calibration.height, max_fov_deg)
    if right - left < 1e-3 or bottom - top < 1e-3:
        raise CalibrationError(
            f"the fisheye image of {calibration.width}x{calibration.height} pixels shows nothing within "
            f"{max_fov_deg / 2:g} degrees of the optical axis; check K, D and the region of interest of its CameraInfo"
        )
    focal = max(width / (right - left), height / (bottom - top))
    return np.array(
        [
            [focal, 0.0, width / 2 - focal * (left + right) / 2],
            [0.0, focal, height / 2 - focal * (top + bottom) / 2],
            [0.0, 0.0, 1.0],
        ]
    )


def _tangent_range(calibration: PinholeCalibration, axis: int, size: int, max_fov_deg: float) -> tuple[float, float]:
    """Returns the tangents of the directions at both borders of the raw image, seen from the principal point."""
    focal, center = calibration.intrinsics[axis, axis], calibration.intrinsics[axis, 2]
    largest = math.radians(max_fov_deg) / 2
    tangents = []
    for border in (0.0, float(size)):
        radius = (border - center) / focal
        angle = calibration.lens.angle_limit(largest, abs(radius))
        tangents.append(math.copysign(math.tan(angle), radius))
    return tangents[0], tangents[1]
