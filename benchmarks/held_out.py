"""LiDAR is kept from a teacher and used to judge it: every fourth beam, or whole revolutions."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import BoxTrack, Drive, DriveImage, DriveScan, FloatArray
from distillnerf_core.teachers.fusion.config import VisibilityConfig
from distillnerf_core.teachers.fusion.visibility import hidden_pixels
from distillnerf_core.teachers.placed_camera import PlacedCamera

STEP = 4
BAND_DEG = 0.4


def held_out(scan: DriveScan) -> NDArray[np.bool_]:
    """Tells which points [n] belong to every fourth beam; where beams are unknown, bands of elevation stand in."""
    if (scan.rings >= 0).all():
        return np.asarray(scan.rings % STEP == STEP // 2)
    rays = scan.points_m - scan.origins_m
    elevation = np.rad2deg(np.arctan2(rays[:, 2], np.hypot(rays[:, 0], rays[:, 1])))
    return np.asarray(np.floor(elevation / BAND_DEG).astype(int) % STEP == STEP // 2)


class PartialDrive:
    """A drive that lacks some of its LiDAR revolutions.

    Args:
        drive: The whole drive.
        scans: Revolutions that are left; None: all.
    """

    def __init__(self, drive: Drive, scans: Sequence[int] | None = None) -> None:
        self._drive = drive
        self._scans = range(len(drive.scan_stamps_ns)) if scans is None else scans

    @property
    def name(self) -> str:
        """Name of the drive."""
        return self._drive.name

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras."""
        return self._drive.cameras

    @property
    def images(self) -> tuple[DriveImage, ...]:
        """All images."""
        return self._drive.images

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Time of each sweep."""
        return self._drive.sweep_stamps_ns

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """The key sweeps."""
        return self._drive.key_sweeps

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """Time of each revolution that is left."""
        return tuple(self._drive.scan_stamps_ns[index] for index in self._scans)

    @property
    def tracks(self) -> tuple[BoxTrack, ...]:
        """Labelled objects."""
        return self._drive.tracks

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] of the vehicle."""
        return self._drive.ego_to_world(stamp_ns)

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Reads an image."""
        return self._drive.read_image(image)

    def read_scan(self, index: int) -> DriveScan:
        """Reads a revolution."""
        return self._drive.read_scan(self._scans[index])


class HeldOutDrive(PartialDrive):
    """A drive whose LiDAR lacks every fourth beam."""

    def read_scan(self, index: int) -> DriveScan:
        """Returns the remaining beams, numbered anew without gaps."""
        scan = super().read_scan(index)
        kept = ~held_out(scan)
        rings = np.where(scan.rings >= 0, scan.rings - (scan.rings + STEP // 2) // STEP, -1).astype(np.int16)
        return replace(
            scan,
            points_m=scan.points_m[kept],
            origins_m=scan.origins_m[kept],
            stamps_ns=scan.stamps_ns[kept],
            rings=rings[kept],
        )


def held_out_returns(
    drive: Drive, image: DriveImage, height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Returns row, column and distance along the unit ray of what the held-out beams of the nearest revolution hit.

    Points that the camera does not see behind others of the revolution are left out.
    """
    stamps = np.array(drive.scan_stamps_ns)
    scan = drive.read_scan(int(np.argmin(np.abs(stamps - image.stamp_ns))))
    camera = PlacedCamera.of(image, height, width)
    column, row, depth = camera.project(scan.points_m)
    inside = (depth > 0.5) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    rows, columns, depths = row[inside].astype(int), column[inside].astype(int), depth[inside]
    nearest = np.full((height, width), np.inf, dtype=np.float32)
    np.minimum.at(nearest, (rows, columns), depths)
    visible = ~hidden_pixels(nearest, float(camera.intrinsics[1, 1]), VisibilityConfig())[rows, columns]
    visible &= depths <= nearest[rows, columns] * 1.05
    chosen = visible & held_out(scan)[inside]
    distance = np.linalg.norm(scan.points_m[inside] - camera.camera_to_world[:3, 3], axis=1)
    return rows[chosen], columns[chosen], distance[chosen].astype(np.float32)
