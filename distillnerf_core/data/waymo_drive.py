"""A segment of the Waymo Open Dataset v2 as a drive."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydantic
from numpy.typing import NDArray

from distillnerf_core.configuration import Config
from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray
from distillnerf_core.data.key_sweeps import KEY_RATE_HZ, evenly_spaced
from distillnerf_core.data.waymo_cameras import CAMERA_NAMES, WaymoImage, read_cameras, read_images
from distillnerf_core.data.waymo_lidar import LASER_NAMES, MOVING_LASER, WaymoLidar
from distillnerf_core.data.waymo_tables import FRAME_KEY, ComponentTable, matrices
from distillnerf_core.data.waymo_tracks import read_tracks
from distillnerf_core.errors import CalibrationError, ConfigurationError, DataError, DistillNerfError
from distillnerf_core.streams.camera_view import CameraView
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.pinhole_view import MAX_FOV_DEG
from distillnerf_core.streams.transform_edge import TransformEdge

_TOLERANCE_NS = 500_000_000
_MAX_GAP_NS = 2_000_000_000


class WaymoConfig(Config):
    """What of a segment is used."""

    cameras: tuple[str, ...] = pydantic.Field(
        default=tuple(CAMERA_NAMES.values()), min_length=1, description="Cameras in the order of a sweep's images."
    )
    lasers: tuple[str, ...] = pydantic.Field(
        default=(MOVING_LASER,), description="Lasers whose points make up a scan; none: no LiDAR."
    )
    key_rate_hz: float = pydantic.Field(
        default=KEY_RATE_HZ, gt=0, le=100, description="Sweeps each second that are evaluated and labelled."
    )


class WaymoDrive:
    """Images without distortion, first returns of the LiDAR and labelled objects of a segment.

    The world is the data set's global frame, z up. A sweep is a frame of the data set; its time is that of its first
    camera. Every image has one pose, that of the middle of its rolling shutter. Without the components lidar or
    lidar_box there are no scans or no tracks.

    Tables as in the package waymo_open_dataset (waymo_open_dataset/v2/perception/*.py); Sun et al., "Scalability in
    Perception for Autonomous Driving: Waymo Open Dataset" (CVPR 2020).

    Args:
        root: Folder with a folder for each component, such as `training`: camera_image, camera_calibration,
            vehicle_pose, lidar, lidar_calibration, lidar_pose, lidar_box.
        segment: Name of the segment: of the files without `.parquet`.
        config: What of it is used.

    Raises:
        DataError: If a component is missing or damaged.
        ConfigurationError: If pyarrow is missing, or there is no camera or laser of a name.
    """

    def __init__(self, root: Path | str, segment: str, config: WaymoConfig | None = None) -> None:
        self._config = config or WaymoConfig()
        self._segment = segment
        _check_names(self._config)
        root = Path(root)
        frames = _vehicle_poses(ComponentTable(root, "vehicle_pose", segment))
        self._table = ComponentTable(root, "camera_image", segment)
        self._decoder = ImageDecoder()
        self._views: dict[str, CameraView] = {}
        recorded = [item for item in read_images(self._table) if item.camera in self._config.cameras]
        self._rows: dict[tuple[str, int], int] = {}
        self._images = self._place(recorded, ComponentTable(root, "camera_calibration", segment))
        if not self._images:
            raise DataError(f"{self._table.path} has no images of {', '.join(self._config.cameras)}")
        self._trajectory = _trajectory([item for item in recorded if item.camera == self._images[0].camera])
        self._lidar = WaymoLidar(root, segment, self._config.lasers, frames)
        boxes = ComponentTable(root, "lidar_box", segment)
        self._tracks = read_tracks(boxes, frames) if boxes.exists else ()

    @property
    def name(self) -> str:
        """Name of the segment."""
        return self._segment

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, as configured."""
        return self._config.cameras

    @property
    def images(self) -> tuple[DriveImage, ...]:
        """All images, frame by frame."""
        return self._images

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Time of the first camera of each frame."""
        first = {image.sweep: image.stamp_ns for image in reversed(self._images)}
        return tuple(first[sweep] for sweep in sorted(first))

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """Sweeps at the configured rate; the labels of the data set are at 10 Hz."""
        return evenly_spaced(self.sweep_stamps_ns, self._config.key_rate_hz)

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """End of the revolution of each frame."""
        return tuple(self._lidar.end_ns(frame_us) for frame_us in self._lidar.frames_us)

    @property
    def tracks(self) -> tuple[BoxTrack, ...]:
        """Labelled objects: vehicle, pedestrian, sign, cyclist."""
        return self._tracks

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] of the vehicle, interpolated between those of one camera's images.

        Raises:
            TransformError: If the time is more than half a second outside the segment.
        """
        return self._trajectory.at(stamp_ns, _TOLERANCE_NS, _MAX_GAP_NS)

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Reads an image and removes its distortion; see `valid_pixels` for the borders that the lens did not see.

        Raises:
            DataError: If it is not of this drive, or damaged.
        """
        row = self._rows.get((image.camera, image.sweep))
        if row is None:
            raise DataError(f"{self._table.path} has no image of {image.camera} in frame {image.sweep}")
        message = SimpleNamespace(data=self._table.row(row, ["image"])["image"] or b"")
        try:
            return self._views[image.camera].image(message, self._decoder)
        except DistillNerfError as err:
            raise DataError(f"{self._table.path}, row {row}: {err}") from err

    def valid_pixels(self, image: DriveImage) -> NDArray[np.bool_] | None:
        """Returns where an image shows something [height width], not black; None where it does everywhere."""
        return self._views[image.camera].valid

    def read_scan(self, index: int) -> DriveScan:
        """Reads the scan at a position of `scan_stamps_ns`; beams are numbered for the laser TOP alone.

        Raises:
            DataError: If a table is damaged.
        """
        return self._lidar.read(self._lidar.frames_us[index])

    def _place(self, recorded: list[WaymoImage], table: ComponentTable) -> tuple[DriveImage, ...]:
        cameras = read_cameras(table)
        frames = {frame_us: sweep for sweep, frame_us in enumerate(sorted({item.frame_us for item in recorded}))}
        order = {camera: position for position, camera in enumerate(self._config.cameras)}
        images = []
        for item in sorted(recorded, key=lambda item: (item.frame_us, order[item.camera])):
            if item.camera not in cameras:
                raise DataError(f"{table.path} has no camera {item.camera}; download it again")
            camera = cameras[item.camera]
            size = (camera.calibration.height, camera.calibration.width)
            if item.camera not in self._views:
                try:
                    view = CameraView(item.camera, camera.calibration, size, MAX_FOV_DEG, None)
                except CalibrationError as err:
                    raise DataError(f"{table.path}: {err}") from err
                self._views[item.camera] = view
            sweep, pose = frames[item.frame_us], item.vehicle_to_world @ camera.camera_to_vehicle
            self._rows[item.camera, sweep] = item.row
            matrix = self._views[item.camera].intrinsics
            images.append(DriveImage(item.camera, sweep, item.stamp_ns, matrix, pose, *size))
        return tuple(images)


def _check_names(config: WaymoConfig) -> None:
    for what, wanted, known in (("camera", config.cameras, CAMERA_NAMES), ("laser", config.lasers, LASER_NAMES)):
        unknown = [name for name in wanted if name not in known.values()]
        if unknown or len(set(wanted)) != len(wanted):
            raise ConfigurationError(
                f"{what}s {', '.join(wanted)}: each once, of {', '.join(known.values())}; not known are {unknown}"
            )


def _vehicle_poses(table: ComponentTable) -> dict[int, FloatArray]:
    columns = table.columns(FRAME_KEY, "world_from_vehicle.transform")
    poses = matrices(columns["world_from_vehicle.transform"], f"{table.path}, world_from_vehicle")
    return {int(frame_us): pose for frame_us, pose in zip(columns[FRAME_KEY], poses, strict=True)}


def _trajectory(recorded: list[WaymoImage]) -> TransformEdge:
    edge = TransformEdge("world", "vehicle", static=False)
    for item in recorded:
        edge.insert(item.pose_stamp_ns, item.recorded_pose, 2**62)
    return edge
