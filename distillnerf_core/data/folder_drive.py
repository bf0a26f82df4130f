"""A folder in the neutral layout as a drive."""

from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray
from distillnerf_core.data.neutral_layout import (
    BoxEntry,
    FrameEntry,
    SensorEntry,
    read_boxes,
    read_layout,
    read_points,
    read_rings,
)
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.transforms import interpolate_rigid

_STEP_NS = 500_000_000
"""Time between frames where the folder does not know it."""


class FolderDrive:
    """The `Drive` of a folder in the neutral layout.

    The world is the ego frame of the first frame's first camera, whose z is up. The points of a revolution all have
    its time. Objects without an identity are objects of their frame alone.

    Args:
        folder: Folder with calib.json.

    Raises:
        DataError: If it is not in the neutral layout, or a camera is no pinhole camera.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._layout = read_layout(folder)
        self._scans = [index for index, frame in enumerate(self._layout.frames) if frame.lidar is not None]
        first = next(iter(self._layout.frames[0].cameras.values()), None)
        known = None if first is None else first.ego_to_global
        self._world_from_global: FloatArray = np.eye(4) if known is None else np.asarray(np.linalg.inv(known))

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self._folder.resolve().name

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras in the order of the calibration."""
        return tuple(self._layout.cameras)

    @cached_property
    def images(self) -> tuple[DriveImage, ...]:
        """All images, frame by frame."""
        return tuple(
            self._image(index, name, sensor)
            for index, frame in enumerate(self._layout.frames)
            for name, sensor in frame.cameras.items()
        )

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Time of the first image of each frame."""
        return tuple(self._frame_stamp(index) for index in range(len(self._layout.frames)))

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """All frames."""
        return tuple(range(len(self._layout.frames)))

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """Time of each revolution of the LiDAR."""
        return tuple(self._lidar_stamp(index) for index in self._scans)

    @cached_property
    def tracks(self) -> tuple[BoxTrack, ...]:
        """The labelled objects."""
        poses: dict[str, list[tuple[int, BoxEntry, FloatArray]]] = {}
        for index, frame in enumerate(self._layout.frames):
            for number, (box, to_world) in enumerate(self._boxes(index, frame)):
                name = box.identity or f"frame_{index:03d}_{number:03d}"
                poses.setdefault(name, []).append((self._lidar_stamp(index), box, to_world @ box.pose))
        return tuple(_track(name, entries) for name, entries in poses.items())

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] of the vehicle at a time, interpolated; before and after it stands still."""
        stamps, poses = self._poses
        after = int(np.searchsorted(stamps, stamp_ns, side="right"))
        if after in {0, len(stamps)}:
            return np.asarray(poses[0 if after == 0 else -1])
        fraction = (stamp_ns - stamps[after - 1]) / (stamps[after] - stamps[after - 1])
        return interpolate_rigid(poses[after - 1], poses[after], float(fraction))

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Reads the pixels [height width 3] of an image, RGB.

        Raises:
            DataError: If the file is missing or damaged.
        """
        return _read_pixels(self._layout.frames[image.sweep].cameras[image.camera].path)

    def read_scan(self, index: int) -> DriveScan:
        """Reads a revolution.

        Raises:
            DataError: If the file is missing or damaged.
        """
        frame = self._layout.frames[self._scans[index]]
        assert frame.lidar is not None  # `_scans` lists no other frames
        points = read_points(frame.lidar.path)[:, :3].astype(np.float64)
        finite = np.isfinite(points).all(axis=1)
        to_world = self._lidar_to_world(self._scans[index])
        stamp = self._lidar_stamp(self._scans[index])
        count = int(finite.sum())
        return DriveScan(
            stamp_ns=stamp,
            points_m=points[finite] @ to_world[:3, :3].T + to_world[:3, 3],
            origins_m=np.repeat(to_world[None, :3, 3], count, axis=0),
            stamps_ns=np.full(count, stamp, dtype=np.int64),
            rings=read_rings(frame.lidar.path)[finite],
        )

    def _image(self, sweep: int, name: str, sensor: SensorEntry) -> DriveImage:
        entry = self._layout.cameras[name]
        rows, columns = entry.size or _read_pixels(sensor.path).shape[:2]
        stamp = self._frame_stamp(sweep) if sensor.stamp_ns is None else sensor.stamp_ns
        to_world = self._to_world(sensor.ego_to_global) @ entry.camera_to_ego
        return DriveImage(name, sweep, stamp, entry.intrinsics, to_world, rows, columns)

    @cached_property
    def _poses(self) -> tuple[NDArray[np.int64], list[FloatArray]]:
        """Times and poses of the vehicle that any sensor knows."""
        known: dict[int, FloatArray] = {}
        for index, frame in enumerate(self._layout.frames):
            for sensor in frame.cameras.values():
                if sensor.stamp_ns is not None:
                    known.setdefault(sensor.stamp_ns, self._to_world(sensor.ego_to_global))
            known.setdefault(self._lidar_stamp(index), self._to_world(self._lidar_pose(frame)))
        stamps = sorted(known)
        return np.array(stamps, dtype=np.int64), [known[stamp] for stamp in stamps]

    def _boxes(self, index: int, frame: FrameEntry) -> list[tuple[BoxEntry, FloatArray]]:
        """Returns the boxes of a frame with what moves them into the world."""
        found = [(box, self._world_from_global) for box in frame.boxes_global]
        if self._layout.lidar_to_ego is None:
            return found
        single = read_boxes(self._folder) if len(self._layout.frames) == 1 else ()
        to_world = self._lidar_to_world(index)
        return found + [(box, to_world) for box in (*single, *frame.boxes_lidar)]

    def _lidar_to_world(self, index: int) -> FloatArray:
        mount = np.eye(4) if self._layout.lidar_to_ego is None else self._layout.lidar_to_ego
        return np.asarray(self._to_world(self._lidar_pose(self._layout.frames[index])) @ mount)

    @staticmethod
    def _lidar_pose(frame: FrameEntry) -> FloatArray | None:
        if frame.lidar_ego_to_global is not None:
            return frame.lidar_ego_to_global
        return next((sensor.ego_to_global for sensor in frame.cameras.values()), None)

    def _to_world(self, ego_to_global: FloatArray | None) -> FloatArray:
        return np.eye(4) if ego_to_global is None else np.asarray(self._world_from_global @ ego_to_global)

    def _frame_stamp(self, index: int) -> int:
        sensors = self._layout.frames[index].cameras.values()
        return next((sensor.stamp_ns for sensor in sensors if sensor.stamp_ns is not None), index * _STEP_NS)

    def _lidar_stamp(self, index: int) -> int:
        lidar = self._layout.frames[index].lidar
        return self._frame_stamp(index) if lidar is None or lidar.stamp_ns is None else lidar.stamp_ns


def _track(name: str, entries: list[tuple[int, BoxEntry, FloatArray]]) -> BoxTrack:
    entries = sorted(entries, key=lambda entry: entry[0])
    sizes = np.array([box.size_lwh_m for _, box, _ in entries])
    length, width, height = (float(size) for size in np.median(sizes, axis=0))
    return BoxTrack(
        track=name,
        label=entries[0][1].label,
        size_lwh_m=(length, width, height),
        stamps_ns=np.array([stamp for stamp, _, _ in entries], dtype=np.int64),
        box_to_world=np.stack([pose for _, _, pose in entries]),
    )


def _read_pixels(path: Path) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DataError(f"cannot read image {path}; calib.json names it")
    return np.asarray(pixels[..., ::-1], dtype=np.uint8)
