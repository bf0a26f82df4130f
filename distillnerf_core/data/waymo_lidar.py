"""Scans of the Waymo Open Dataset: one frame of one or more lasers in the world."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveScan, FloatArray
from distillnerf_core.data.waymo_range_image import (
    LaserCalibration,
    laser_returns,
    move_by_pixel_poses,
    reshape_image,
)
from distillnerf_core.data.waymo_tables import FRAME_KEY, LASER_KEY, ComponentTable, matrices
from distillnerf_core.errors import DataError

LASER_NAMES = {1: "TOP", 2: "FRONT", 3: "SIDE_LEFT", 4: "SIDE_RIGHT", 5: "REAR"}
"""LaserName in `waymo_open_dataset/v2/perception/lidar.py`."""
MOVING_LASER = "TOP"
"""The laser whose pixels have poses of their own; the images of the others are made for the frame's one pose."""
_PERIOD_NS = 100_000_000
_RANGES = tuple(f"range_image_return1.{name}" for name in ("values", "shape"))


class WaymoLidar:
    """Reads the first returns of the lasers of a segment.

    Args:
        root: Folder of the components.
        segment: Name of the segment.
        lasers: Names of the lasers to use.
        vehicle_to_world: Pose [4 4] of each frame by its time in microseconds.

    Attributes:
        frames_us: Times of the frames with a scan, microseconds, ascending.

    Raises:
        DataError: If a table is missing or damaged.
    """

    def __init__(
        self, root: Path, segment: str, lasers: Sequence[str], vehicle_to_world: Mapping[int, FloatArray]
    ) -> None:
        self._vehicle_to_world = vehicle_to_world
        self._scans, self._poses = (ComponentTable(root, name, segment) for name in ("lidar", "lidar_pose"))
        self.frames_us: tuple[int, ...] = ()
        if not lasers or not self._scans.exists:
            return
        self._calibrations = _calibrations(ComponentTable(root, "lidar_calibration", segment))
        self._scan_rows = _rows(self._scans, lasers)
        self._pose_rows = _rows(self._poses, [MOVING_LASER]) if MOVING_LASER in lasers else {}
        frames = {frame_us for frame_us, _ in self._scan_rows}
        self.frames_us = tuple(sorted(frames & set(vehicle_to_world)))
        self._lasers = tuple(lasers)
        steps = np.diff(self.frames_us)
        self._period_ns = round(float(np.median(steps)) * 1000) if len(steps) else _PERIOD_NS

    def end_ns(self, frame_us: int) -> int:
        """Returns the end of the revolution of a frame, whose time is its start."""
        return frame_us * 1000 + self._period_ns

    def read(self, frame_us: int) -> DriveScan:
        """Reads the scan of a frame.

        Columns of the moving laser are taken for evenly spread over the revolution, as the data set has no times of
        points; points of the other lasers have the middle of it, for which their images are made.

        Raises:
            DataError: If a table is damaged or lacks something.
        """
        parts = [self._read_laser(frame_us, name) for name in self._lasers if (frame_us, name) in self._scan_rows]
        points, origins, stamps, rings = (np.concatenate(items) for items in zip(*parts, strict=True))
        return DriveScan(self.end_ns(frame_us), points, origins, stamps, rings)

    def _read_laser(
        self, frame_us: int, name: str
    ) -> tuple[FloatArray, FloatArray, NDArray[np.int64], NDArray[np.int16]]:
        where = f"{self._scans.path}, {name} at {frame_us} us"
        content = self._scans.row(self._scan_rows[frame_us, name], _RANGES)
        image = reshape_image(content[_RANGES[0]], content[_RANGES[1]], 4, where)
        if name not in self._calibrations:
            raise DataError(f"{where}: there is no calibration of this laser; download lidar_calibration again")
        calibration = self._calibrations[name]
        returns = laser_returns(image[..., 0], calibration)
        origin = calibration.laser_to_vehicle[:3, 3]
        rings = (image.shape[0] - 1 - returns.rows if name == MOVING_LASER else -np.ones_like(returns.rows)).astype(
            np.int16
        )
        if name != MOVING_LASER:
            pose = self._vehicle_to_world[frame_us]
            points = returns.points_m @ pose[:3, :3].T + pose[:3, 3]
            origins = np.tile(pose[:3, :3] @ origin + pose[:3, 3], (len(points), 1))
            return points, origins, np.full(len(points), frame_us * 1000 + self._period_ns // 2), rings
        poses = self._pixel_poses(frame_us, image.shape[:2])[returns.rows, returns.columns]
        points, origins = move_by_pixel_poses(returns.points_m, origin, poses)
        stamps = frame_us * 1000 + (2 * returns.columns + 1) * self._period_ns // (2 * image.shape[1])
        return points, origins, stamps, rings

    def _pixel_poses(self, frame_us: int, size: tuple[int, ...]) -> NDArray[np.float32]:
        where = f"{self._poses.path}, {MOVING_LASER} at {frame_us} us"
        row = self._pose_rows.get((frame_us, MOVING_LASER))
        if row is None:
            raise DataError(f"{where}: there are no poses of this scan; download lidar_pose again")
        content = self._poses.row(row, _RANGES)
        poses = reshape_image(content[_RANGES[0]], content[_RANGES[1]], 6, where)
        if poses.shape[:2] != tuple(size) or not np.isfinite(poses).all():
            raise DataError(f"{where}: poses {poses.shape} for a range image {size}, or not finite")
        return poses


def _rows(table: ComponentTable, lasers: Sequence[str]) -> dict[tuple[int, str], int]:
    columns = table.columns(FRAME_KEY, LASER_KEY)
    names = [LASER_NAMES.get(number, "") for number in columns[LASER_KEY]]
    pairs = zip(columns[FRAME_KEY], names, strict=True)
    return {(int(frame), name): row for row, (frame, name) in enumerate(pairs) if name in lasers}


def _calibrations(table: ComponentTable) -> dict[str, LaserCalibration]:
    fields = ("extrinsic.transform", *(f"beam_inclination.{name}" for name in ("min", "max", "values")))
    columns = table.columns(LASER_KEY, *fields)
    poses = matrices(columns[fields[0]], f"{table.path}, extrinsic.transform")
    found = {}
    for row, number in enumerate(columns[LASER_KEY]):
        name = LASER_NAMES.get(number, "")
        where = f"{table.path}, laser {name or number}"
        found[name] = _calibration(poses[row], [columns[field][row] for field in fields[1:]], where)
    return found


def _calibration(pose: FloatArray, beams: list[Any], where: str) -> LaserCalibration:
    low, high, values = beams
    inclinations = None
    try:
        if values:
            inclinations = np.array(values, dtype=np.float64).reshape(-1)
            low, high = inclinations.min(), inclinations.max()
        low, high = float(low), float(high)
    except (ValueError, TypeError) as err:
        raise DataError(f"{where}: inclinations that are no numbers: {err}") from err
    if not -np.pi / 2 <= low < high <= np.pi / 2:
        raise DataError(f"{where}: inclinations from {low:g} to {high:g} rad cannot be")
    return LaserCalibration(pose, (low, high), inclinations)
