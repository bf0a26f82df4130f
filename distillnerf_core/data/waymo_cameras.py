"""Cameras of the Waymo Open Dataset: calibrations, and the pose of each image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from distillnerf_core.data.drive import FloatArray
from distillnerf_core.data.waymo_tables import CAMERA_KEY, FRAME_KEY, ComponentTable, matrices
from distillnerf_core.errors import CalibrationError, DataError
from distillnerf_core.streams.camera_info import MAX_SIDE_PX, PinholeCalibration, read_distortion
from distillnerf_core.streams.message_fields import NANOSECONDS

CAMERA_NAMES = {1: "FRONT", 2: "FRONT_LEFT", 3: "FRONT_RIGHT", 4: "SIDE_LEFT", 5: "SIDE_RIGHT"}
"""CameraName in `waymo_open_dataset/v2/perception/camera_image.py`."""
WAYMO_FROM_OPENCV = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Waymo's camera axes are x forward, y left, z up; OpenCV's x right, y down, z forward."""
_INTRINSICS = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
_VELOCITY = tuple(f"velocity.{kind}_velocity.{axis}" for kind in ("linear", "angular") for axis in "xyz")
_TIMES = (
    "pose_timestamp",
    "rolling_shutter_params.camera_trigger_time",
    "rolling_shutter_params.camera_readout_done_time",
)
_LONGEST_EXPOSURE_S = 0.5


@dataclass(frozen=True)
class WaymoCamera:
    """Calibration of a camera.

    Attributes:
        calibration: Size, intrinsics and distortion (k1, k2, p1, p2, k3 as in OpenCV).
        camera_to_vehicle: Mounting pose [4 4], OpenCV camera axes, metres.
    """

    calibration: PinholeCalibration
    camera_to_vehicle: FloatArray


@dataclass(frozen=True)
class WaymoImage:
    """An image in its table.

    Attributes:
        row: Position in the table.
        camera: Name of the camera.
        frame_us: Time of its frame, microseconds.
        stamp_ns: Middle of the exposure of its middle column.
        vehicle_to_world: Pose [4 4] at that time, metres.
        pose_stamp_ns: Time of the pose that the table has.
        recorded_pose: That pose [4 4].
    """

    row: int
    camera: str
    frame_us: int
    stamp_ns: int
    vehicle_to_world: FloatArray
    pose_stamp_ns: int
    recorded_pose: FloatArray


def read_cameras(table: ComponentTable) -> dict[str, WaymoCamera]:
    """Reads the component camera_calibration.

    Raises:
        DataError: If the table is missing or damaged, or a camera cannot be.
    """
    fields = [f"intrinsic.{name}" for name in _INTRINSICS]
    columns = table.columns(CAMERA_KEY, "extrinsic.transform", "width", "height", *fields)
    poses = matrices(columns["extrinsic.transform"], f"{table.path}, extrinsic.transform")
    cameras = {}
    for row, number in enumerate(columns[CAMERA_KEY]):
        if number in CAMERA_NAMES:
            where = f"{table.path}, camera {CAMERA_NAMES[number]}"
            numbers = [columns[name][row] for name in fields]
            calibration = _calibration(numbers, columns["height"][row], columns["width"][row], where)
            cameras[CAMERA_NAMES[number]] = WaymoCamera(calibration, poses[row] @ WAYMO_FROM_OPENCV)
    return cameras


def read_images(table: ComponentTable) -> list[WaymoImage]:
    """Reads the times and poses of the component camera_image, without pixels.

    The shutter rolls over the image; its time is the middle between trigger and the end of the readout
    (RollingShutterParams), and the vehicle's pose is carried from `pose_timestamp` to that time with its velocity:
    r(t + dt) = r(t) + v dt, R(t + dt) = exp([w] dt) R(t), all in the world frame (CameraImageComponent).

    Raises:
        DataError: If the table is missing or damaged.
    """
    columns = table.columns(FRAME_KEY, CAMERA_KEY, "pose.transform", *_VELOCITY, *_TIMES)
    poses = matrices(columns["pose.transform"], f"{table.path}, pose.transform")
    images = []
    for row, number in enumerate(columns[CAMERA_KEY]):
        if number not in CAMERA_NAMES:
            continue
        where = f"{table.path}, row {row}"
        pose_time, middle = _times([columns[name][row] for name in _TIMES], where)
        velocity = _finite([columns[name][row] or 0.0 for name in _VELOCITY], where)
        pose = carried_pose(poses[row], velocity[:3], velocity[3:], (middle - pose_time) / NANOSECONDS)
        frame_us = int(columns[FRAME_KEY][row])
        images.append(WaymoImage(row, CAMERA_NAMES[number], frame_us, middle, pose, pose_time, poses[row]))
    return images


def carried_pose(pose: FloatArray, linear_m_s: FloatArray, angular_rad_s: FloatArray, seconds: float) -> FloatArray:
    """Returns a pose [4 4] some time later, at constant linear and angular velocity [3] in the world frame."""
    carried = np.array(pose)
    carried[:3, 3] += linear_m_s * seconds
    carried[:3, :3] = Rotation.from_rotvec(angular_rad_s * seconds).as_matrix() @ pose[:3, :3]
    return carried


def _calibration(numbers: list[Any], height: Any, width: Any, where: str) -> PinholeCalibration:
    focal_u, focal_v, center_u, center_v, *coefficients = _finite(numbers, where).tolist()
    if not (
        1 <= int(height or 0) <= MAX_SIDE_PX and 1 <= int(width or 0) <= MAX_SIDE_PX and min(focal_u, focal_v) >= 1
    ):
        raise DataError(f"{where}: focal lengths {focal_u:g}, {focal_v:g} for {width}x{height} pixels cannot be")
    intrinsics = np.array([[focal_u, 0.0, center_u], [0.0, focal_v, center_v], [0.0, 0.0, 1.0]])
    try:
        model, distortion = read_distortion("plumb_bob", np.array(coefficients), where)
    except CalibrationError as err:
        raise DataError(str(err)) from err
    return PinholeCalibration(int(height), int(width), intrinsics, model, distortion, np.eye(3))


def _times(seconds: list[Any], where: str) -> tuple[int, int]:
    """Returns the time of the pose and that of the middle of the image, nanoseconds."""
    pose, trigger, done = seconds
    middle = pose if trigger is None or done is None else (trigger + done) / 2
    pose, middle = _finite([pose, middle], where).tolist()
    if abs(middle - pose) > _LONGEST_EXPOSURE_S or not 0 < pose < 2**33:
        raise DataError(f"{where}: an image at {middle:.3f} s with a pose at {pose:.3f} s cannot be")
    return round(pose * NANOSECONDS), round(middle * NANOSECONDS)


def _finite(values: list[Any], where: str) -> FloatArray:
    try:
        numbers = np.array(values, dtype=np.float64)
    except (ValueError, TypeError) as err:
        raise DataError(f"{where}: expected numbers: {err}") from err
    if not np.isfinite(numbers).all():
        raise DataError(f"{where}: numbers are missing or not finite")
    return numbers
