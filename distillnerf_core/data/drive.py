"""A recorded or simulated drive: what all loaders of sequences give, and what teachers and training read."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.geometry.transforms import interpolate_rigid

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class DriveImage:
    """One image of a drive; `Drive.read_image` reads its pixels.

    Attributes:
        camera: Name of the camera.
        sweep: Number of the camera sweep that it belongs to.
        stamp_ns: Time of the exposure.
        intrinsics: Pinhole matrix [3 3] in pixels of the image, pixel centres at integer + 0.5.
        camera_to_world: Pose [4 4] at the time of the exposure, metres, OpenCV camera axes.
        height: Rows.
        width: Columns.
    """

    camera: str
    sweep: int
    stamp_ns: int
    intrinsics: FloatArray
    camera_to_world: FloatArray
    height: int
    width: int


@dataclass(frozen=True)
class DriveScan:
    """One revolution of the LiDAR, each point at its own time.

    Attributes:
        stamp_ns: Time of the revolution, its end.
        points_m: Points [n 3] in the world frame, metres.
        origins_m: Place [n 3] of the sensor when it measured each point, world frame.
        stamps_ns: Time [n] of each point.
        rings: Beam [n] of each point, from 0 for the lowest; -1 where unknown.
    """

    stamp_ns: int
    points_m: FloatArray
    origins_m: FloatArray
    stamps_ns: NDArray[np.int64]
    rings: NDArray[np.int16]


@dataclass(frozen=True)
class BoxTrack:
    """A labelled object over time, as a rigid upright box.

    Attributes:
        track: Its identity in the drive.
        label: Category as the source names it.
        size_lwh_m: Length (along the heading), width and height, metres.
        stamps_ns: Times [k] of the poses, ascending.
        box_to_world: Poses [k 4 4] of the box's middle, x along the heading, metres.
    """

    track: str
    label: str
    size_lwh_m: tuple[float, float, float]
    stamps_ns: NDArray[np.int64]
    box_to_world: FloatArray

    def pose(self, stamp_ns: int, margin_ns: int = 300_000_000) -> FloatArray | None:
        """Returns box_to_world at a time, interpolated; None where the object was not labelled.

        Args:
            stamp_ns: The time.
            margin_ns: How far the first and the last pose may be extrapolated (by standing still).
        """
        first, last = int(self.stamps_ns[0]), int(self.stamps_ns[-1])
        if not first - margin_ns <= stamp_ns <= last + margin_ns:
            return None
        if stamp_ns <= first or stamp_ns >= last:
            return np.asarray(self.box_to_world[0 if stamp_ns <= first else -1])
        after = int(np.searchsorted(self.stamps_ns, stamp_ns, side="right"))
        begin, end = int(self.stamps_ns[after - 1]), int(self.stamps_ns[after])
        fraction = (stamp_ns - begin) / (end - begin)
        return interpolate_rigid(self.box_to_world[after - 1], self.box_to_world[after], fraction)

    @property
    def moves(self) -> bool:
        """Whether the object changes its place by more than half a metre."""
        places = self.box_to_world[:, :3, 3]
        return bool(np.linalg.norm(places - places[0], axis=1).max() > 0.5)


@runtime_checkable
class Drive(Protocol):
    """A sequence of camera sweeps with poses, and LiDAR and tracks where there are any.

    The world frame is fixed, in metres, with z up; files are read when they are asked for.
    """

    @property
    def name(self) -> str:
        """Name of the drive, usable as a file name."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras in the order of the images of a sweep."""

    @property
    def images(self) -> tuple[DriveImage, ...]:
        """All images, sweep by sweep; a sweep may lack cameras."""

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Reference time of each sweep."""

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """Sweeps that are evaluated and labelled (2 Hz in nuScenes), ascending."""

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """Time of each LiDAR revolution, ascending; empty without LiDAR."""

    @property
    def tracks(self) -> tuple[BoxTrack, ...]:
        """Labelled objects."""

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] of the vehicle at a time, interpolated."""

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Reads the pixels [height width 3] of an image, RGB.

        Raises:
            DataError: If the file is missing or damaged.
        """

    def read_scan(self, index: int) -> DriveScan:
        """Reads the revolution at a position of `scan_stamps_ns`.

        Raises:
            DataError: If the file is missing or damaged.
        """
