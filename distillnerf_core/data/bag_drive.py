"""A recording of a robot (rosbag2: MCAP or sqlite3) as a drive for training."""

import re
from pathlib import Path

import numpy as np
import pydantic
from numpy.typing import NDArray

from distillnerf_core.configuration import Config
from distillnerf_core.data.bag_access import BagAccess
from distillnerf_core.data.bag_index import BagIndex, RecordedScan, index_bag
from distillnerf_core.data.bag_poses import fix_frame
from distillnerf_core.data.bag_sweeps import ImagePlacer, PlacedImage, locate_sweeps
from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray
from distillnerf_core.data.key_sweeps import KEY_RATE_HZ, evenly_spaced
from distillnerf_core.data.scan_motion import points_to_world
from distillnerf_core.errors import DataError, DistillNerfError, TransformError
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.point_clouds import PointTimes, read_point_cloud
from distillnerf_core.streams.stream_config import StreamConfig


class BagDriveConfig(Config):
    """What of a recording is used, and how."""

    stream: StreamConfig = pydantic.Field(
        default_factory=StreamConfig, description="Cameras, frames and limits, as for the live node."
    )
    lidar_topic: str = pydantic.Field(
        default="auto", description="PointCloud2 of the LiDAR; auto: the only one, or the one named so; empty: none."
    )
    point_times: PointTimes = pydantic.Field(
        default="auto", description="auto: the times of the points where they have some; off: that of their message."
    )
    odometry_topic: str = pydantic.Field(
        default="auto", description="Odometry for poses where TF has no fixed frame; auto: the topic with the most."
    )
    key_rate_hz: float = pydantic.Field(
        default=KEY_RATE_HZ, gt=0, le=100, description="Sweeps each second that are evaluated and labelled."
    )


class BagDrive:
    """Cameras, poses and LiDAR of a recording; images are rectified to pinhole images of the cameras' own size.

    The recording is read once, for its poses, calibrations and times; pixels and points are read again when they are
    asked for. Sweeps are those of the live node. The world is its fixed frame: the first of odom, map and world that TF
    connects to the body, else that of odometry messages. Each point is moved to the world at its own time.

    Beams are numbered as the driver does, which for some sensors is from the top. There are no tracks.

    Args:
        path: rosbag2 folder, .mcap or .db3.
        config: What is used of it.

    Attributes:
        problems: What could not be used and why, in words.

    Raises:
        BagError: If the recording cannot be opened or is cut.
        ConfigurationError: If its camera layout is not recognised.
        DataError: If there are no poses or no usable images; says what to record.
    """

    def __init__(self, path: Path | str, config: BagDriveConfig | None = None) -> None:
        self._config = config = config or BagDriveConfig()
        self._path = Path(path)
        index = index_bag(self._path, config.stream, config.lidar_topic, config.point_times, config.odometry_topic)
        self._motion = fix_frame(index, config.stream.motion)
        stream = config.stream.model_copy(update={"motion": self._motion})
        self._transforms = index.transforms
        self._access = BagAccess(self._path)
        self._decoder = ImageDecoder(stream.max_image_pixels)
        self._cameras = index.layout.names
        sweeps = locate_sweeps(index, stream)
        placer = ImagePlacer(index, stream)
        placed = [item for number, sweep in enumerate(sweeps) for item in placer.place(sweep, number)]
        if not placed:
            reasons = "; ".join(list(index.problems)[:3]) or "the topics of its layout are silent"
            raise DataError(f"{self._path}: no image with calibration and pose: {reasons}")
        self._stamps = tuple(item.sweep.stamp_ns for item in sweeps)
        self._images = tuple(item.image for item in placed)
        self._sources = {(item.image.camera, item.image.sweep): item for item in placed}
        self._scans = tuple(sorted(self._located_scans(index), key=lambda scan: scan.last_ns))
        self.problems = tuple(index.problems)

    @property
    def name(self) -> str:
        """Name of the file, without characters that other files' names may not have."""
        return re.sub(r"[^A-Za-z0-9_.-]", "_", self._path.stem) or "bag"

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, in the order of the layout."""
        return self._cameras

    @property
    def images(self) -> tuple[DriveImage, ...]:
        """All images that have a calibration and a pose, sweep by sweep."""
        return self._images

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Stamp of each sweep's reference camera."""
        return self._stamps

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """Sweeps at the configured rate."""
        return evenly_spaced(self._stamps, self._config.key_rate_hz)

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """Time of the last point of each scan that has a pose."""
        return tuple(scan.last_ns for scan in self._scans)

    @property
    def tracks(self) -> tuple[BoxTrack, ...]:
        """None: recordings have no labels."""
        return ()

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] of the body frame.

        Raises:
            TransformError: If the time is farther from the recorded poses than may be extrapolated.
        """
        return self._to_world(self._motion.base_frame, stamp_ns)

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Reads and rectifies an image; see `valid_pixels` for those that the lens did not see.

        Raises:
            DataError: If it is not of this drive, or damaged.
        """
        source = self._source(image)
        try:
            return source.view.image(self._access.read(source.place), self._decoder)
        except DistillNerfError as err:
            raise DataError(f"{self._path}: {source.place.topic} at {image.stamp_ns} ns: {err}") from err

    def valid_pixels(self, image: DriveImage) -> NDArray[np.bool_] | None:
        """Returns where an image shows the surroundings [height width], not black; None where it does everywhere."""
        return self._source(image).view.valid

    def read_scan(self, index: int) -> DriveScan:
        """Reads the scan at a position of `scan_stamps_ns`.

        Raises:
            DataError: If it is damaged or has no pose.
        """
        scan = self._scans[index]
        cloud = read_point_cloud(self._access.read(scan.place), scan.place.topic, self._config.point_times)
        try:
            points, origins = points_to_world(
                cloud.points_m, cloud.stamps_ns, lambda stamp: self._to_world(scan.frame, stamp)
            )
        except TransformError as err:
            raise DataError(f"{self._path}: scan at {scan.last_ns} ns: {err}") from err
        return DriveScan(scan.last_ns, points, origins, cloud.stamps_ns, cloud.rings)

    def _source(self, image: DriveImage) -> PlacedImage:
        source = self._sources.get((image.camera, image.sweep))
        if source is None:
            raise DataError(f"{self._path} has no image of {image.camera} in sweep {image.sweep}")
        return source

    def _to_world(self, frame: str, stamp_ns: int) -> FloatArray:
        motion = self._motion
        return self._transforms.lookup(
            motion.fixed_frame, stamp_ns, frame, stamp_ns, motion.fixed_frame, tolerance_s=motion.extrapolation_s
        )

    def _located_scans(self, index: BagIndex) -> list[RecordedScan]:
        """Returns the scans whose whole time has poses; the others become a problem."""
        located, lost = [], []
        for scan in index.scans:
            try:
                for stamp in (scan.first_ns, scan.last_ns):
                    self._to_world(scan.frame, stamp)
                located.append(scan)
            except TransformError as err:
                lost.append(str(err))
        if lost:
            index.note(f"{len(lost)} scans have no pose and are left out: {lost[0]}")
        return located
