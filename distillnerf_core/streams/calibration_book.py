"""The newest calibration of every camera, from CameraInfo messages or from a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.camera_info import PinholeCalibration, pinhole_from_camera_info
from distillnerf_core.streams.message_fields import float_array


class CalibrationBook:
    """Keeps one calibration for each camera; an unchanged CameraInfo costs a comparison.

    Args:
        rectified: Whether the images are rectified already.
    """

    def __init__(self, rectified: bool) -> None:
        self._rectified = rectified
        self._calibrations: dict[str, PinholeCalibration] = {}
        self._frames: dict[str, str] = {}
        self._contents: dict[str, tuple[bytes, ...]] = {}

    def take(self, camera: str, message: Any, topic: str) -> None:
        """Takes a `sensor_msgs/CameraInfo`; an unusable one leaves the camera without calibration.

        Raises:
            CalibrationError: Naming the topic; once for each content.
        """
        content = _content(message)
        if self._contents.get(camera) == content:
            return
        self._contents[camera] = content
        self._calibrations.pop(camera, None)
        self._frames[camera] = str(message.header.frame_id)
        self._calibrations[camera] = pinhole_from_camera_info(message, topic, self._rectified)

    def put(self, camera: str, calibration: PinholeCalibration) -> None:
        """Sets a calibration that comes from elsewhere."""
        self._calibrations[camera] = calibration

    def calibration(self, camera: str) -> PinholeCalibration | None:
        """Returns the calibration of a camera, None while there is none."""
        return self._calibrations.get(camera)

    def frame(self, camera: str) -> str:
        """Returns the optical frame that the CameraInfo names, "" where unknown."""
        return self._frames.get(camera, "")


def read_calibration_file(path: Path) -> dict[str, PinholeCalibration]:
    """Reads a calibration file: JSON with `cameras: {name: {width, height, K, distortion}}`.

    `K` is 3x3 in pixels of width x height; `distortion` is null or a list of plumb_bob coefficients.

    Raises:
        CalibrationError: If the file cannot be read or lacks something; names it.
    """
    try:
        cameras = json.loads(path.read_text(encoding="utf-8"))["cameras"]
        return {str(name): _calibration(entry) for name, entry in cameras.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise CalibrationError(
            f"{path}: expected JSON with cameras: {{name: {{width, height, K, distortion}}}}, got {err!r}"
        ) from err


def _calibration(entry: Mapping[str, Any]) -> PinholeCalibration:
    intrinsics = np.array(entry["K"], dtype=np.float64).reshape(3, 3)
    if not np.isfinite(intrinsics).all() or intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0:
        raise ValueError("K with focal lengths that are not positive")
    coefficients = tuple(float(value) for value in entry.get("distortion") or ())
    model = "plumb_bob" if any(coefficients) else ""
    return PinholeCalibration(
        int(entry["height"]), int(entry["width"]), intrinsics, model, coefficients if model else (), np.eye(3)
    )


def _content(message: Any) -> tuple[bytes, ...]:
    roi = message.roi
    sizes = [message.height, message.width, message.binning_x, message.binning_y]
    sizes += [roi.x_offset, roi.y_offset, roi.height, roi.width]
    numbers = [float_array(values).tobytes() for values in (message.k, message.d, message.r, message.p)]
    names = f"{message.distortion_model}|{message.header.frame_id}".encode()
    return (float_array(sizes).tobytes(), names, *numbers)
