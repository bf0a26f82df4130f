"""The newest calibration of every camera, from CameraInfo messages or from a file."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.camera_info import (
    MAX_SIDE_PX,
    PinholeCalibration,
    pinhole_from_camera_info,
    read_distortion,
)
from distillnerf_core.streams.message_fields import float_array, short_frame_id

_MOST_NUMBERS = 16
"""More than any field of a CameraInfo may have: enough to compare two of them."""


class CalibrationBook:
    """Keeps one calibration for each camera; an unchanged CameraInfo costs a comparison.

    Args:
        rectified: Whether each camera's images are rectified already; those not named are raw.
        undistort: Whether the distortion of raw images is to be removed.
    """

    def __init__(self, rectified: Mapping[str, bool], undistort: bool = True) -> None:
        self._rectified = rectified
        self._undistort = undistort
        self._calibrations: dict[str, PinholeCalibration] = {}
        self._frames: dict[str, str] = {}
        self._contents: dict[str, tuple[bytes, ...]] = {}

    def take(self, camera: str, message: Any, topic: str) -> None:
        """Takes a `sensor_msgs/CameraInfo`; an unusable one leaves the camera without calibration.

        Raises:
            CalibrationError: Naming the topic; once for each content.
        """
        content = calibration_content(message)
        if self._contents.get(camera) == content:
            return
        self._contents[camera] = content
        self._calibrations.pop(camera, None)
        self._frames[camera] = short_frame_id(message.header)
        rectified = self._rectified.get(camera, False)
        self._calibrations[camera] = pinhole_from_camera_info(message, topic, rectified, self._undistort)

    def put(self, camera: str, calibration: PinholeCalibration) -> None:
        """Sets a calibration that comes from elsewhere."""
        if not self._undistort:
            calibration = replace(calibration, distortion_model="", distortion=())
        self._calibrations[camera] = calibration

    def calibration(self, camera: str) -> PinholeCalibration | None:
        """Returns the calibration of a camera, None while there is none."""
        return self._calibrations.get(camera)

    def frame(self, camera: str) -> str:
        """Returns the optical frame that the CameraInfo names, "" where unknown."""
        return self._frames.get(camera, "")


def read_calibration_file(path: Path) -> dict[str, PinholeCalibration]:
    """Reads a calibration file: JSON with `cameras: {name: {width, height, K, distortion}}`.

    `K` is 3x3 in pixels of width x height; `distortion` is null or a list of coefficients of `distortion_model`,
    plumb_bob where that is absent. It describes the images as they are published, whatever their topic's name says.

    Raises:
        CalibrationError: If the file cannot be read or lacks something; names it.
    """
    try:
        cameras = json.loads(path.read_text(encoding="utf-8"))["cameras"]
        return {str(name): _calibration(entry) for name, entry in cameras.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, CalibrationError) as err:
        raise CalibrationError(
            f"{path}: expected JSON with cameras: {{name: {{width, height, K, distortion}}}}, got {err!r}"
        ) from err


def _calibration(entry: Mapping[str, Any]) -> PinholeCalibration:
    intrinsics = np.array(entry["K"], dtype=np.float64).reshape(3, 3)
    if not np.isfinite(intrinsics).all() or intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0:
        raise ValueError("K with focal lengths that are not positive")
    size = int(entry["height"]), int(entry["width"])
    if not 1 <= min(size) <= max(size) <= MAX_SIDE_PX:
        raise ValueError(f"a size of {size[1]}x{size[0]} pixels")
    coefficients = np.array(entry.get("distortion") or (), dtype=np.float64).reshape(-1)
    if not np.isfinite(coefficients).all():
        raise ValueError("distortion that is not finite")
    model, distortion = read_distortion(str(entry.get("distortion_model", "")), coefficients, "distortion")
    return PinholeCalibration(*size, intrinsics, model, distortion, np.eye(3))


def calibration_content(message: Any) -> tuple[bytes, ...]:
    """Returns what tells two calibrations apart: all of a CameraInfo but its stamp, cut where it is absurdly long."""
    roi = message.roi
    sizes = [message.height, message.width, message.binning_x, message.binning_y]
    sizes += [roi.x_offset, roi.y_offset, roi.height, roi.width]
    numbers = [float_array(values[:_MOST_NUMBERS]).tobytes() for values in (message.k, message.d, message.r, message.p)]
    names = f"{str(message.distortion_model)[:40]}|{short_frame_id(message.header)}|{len(message.d)}".encode()
    return (float_array(sizes).tobytes(), names, *numbers)
