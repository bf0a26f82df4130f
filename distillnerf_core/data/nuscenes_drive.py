"""A scene of a nuScenes download as a drive."""

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pydantic
from numpy.typing import NDArray

from distillnerf_core.configuration import Config
from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray
from distillnerf_core.data.nuscenes_boxes import read_tracks
from distillnerf_core.data.nuscenes_lidar import LidarConfig, read_revolution
from distillnerf_core.data.nuscenes_sweeps import ImageSweep, pair_images
from distillnerf_core.data.nuscenes_tables import NuScenesTables, Reading
from distillnerf_core.data.pose_track import PoseTrack
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.rig import CAMERA_NAMES, LIDAR_NAME

logger = logging.getLogger(__name__)

_REFERENCE_CAMERA = "CAM_FRONT"


class NuScenesDriveConfig(Config):
    """What of a scene is used, and how.

    Attributes:
        cameras: Names of the cameras in the order of a sweep; None for all, those of nuScenes first.
        sweeps: Whether to use the images and revolutions between the samples, too.
        pairing_tolerance_s: Longest time between the images of a sweep, beside the usual delays of the cameras.
        world: "first_ego" is the ego frame of the first image, turned upright; "global" the frame of the tables, in
            which a vehicle may be kilometres from the origin.
        lidar: How revolutions are read.
    """

    cameras: tuple[str, ...] | None = pydantic.Field(default=None, min_length=1)
    sweeps: bool = True
    pairing_tolerance_s: float = pydantic.Field(default=0.025, gt=0)
    world: Literal["first_ego", "global"] = "first_ego"
    lidar: LidarConfig = LidarConfig()


@dataclass(frozen=True)
class SceneContent:
    """What the tables say about a scene.

    Attributes:
        name: Name of the scene.
        readings: Everything that all sensors recorded, in the order of time.
        sample_stamps_ns: Time of each sample by its token.
        tracks: Labelled objects in the global frame.
    """

    name: str
    readings: tuple[Reading, ...]
    sample_stamps_ns: dict[str, int]
    tracks: tuple[BoxTrack, ...]


def read_scenes(root: Path, scenes: Collection[str], version: str = "v1.0-mini") -> list[SceneContent]:
    """Reads what the tables say about some scenes; for many scenes this is as fast as for one.

    Raises:
        DataError: If there is no such scene, or a table is missing or damaged.
    """
    tables = NuScenesTables(root, version)
    samples = tables.samples(scenes)
    readings, tracks = tables.readings_of(samples), read_tracks(tables, samples)
    stamps: dict[str, dict[str, int]] = {scene: {} for scene in scenes}
    for token, sample in samples.items():
        stamps[sample.scene][token] = sample.stamp_ns
    return [SceneContent(scene, tuple(readings[scene]), stamps[scene], tuple(tracks[scene])) for scene in scenes]


class NuScenesDrive:
    """The `Drive` of a scene, key frames and what is between them; the key sweeps are its samples.

    Images and revolutions whose files are not in the download are left out. Each image has the pose of the vehicle at
    its own time.

    Args:
        content: From :func:`read_scenes`.
        config: What is used.

    Raises:
        DataError: If no image is there, or a camera of the configuration is not in the scene.
    """

    def __init__(self, content: SceneContent, config: NuScenesDriveConfig | None = None) -> None:
        self.config = config or NuScenesDriveConfig()
        self._content = content
        self._cameras = _camera_names(content, self.config.cameras)
        used = [item for item in content.readings if self.config.sweeps or item.key_frame]
        images = _present([item for item in used if item.sensor.channel in self._cameras])
        if not images:
            raise DataError(f"no image of {content.name} is there: give the folder that holds samples/ and sweeps/")
        self._revolutions = _present([item for item in used if item.sensor.channel == LIDAR_NAME])
        reference = _REFERENCE_CAMERA if _REFERENCE_CAMERA in self._cameras else self._cameras[0]
        tolerance_ns = round(self.config.pairing_tolerance_s * 1e9)
        self._sweeps: list[ImageSweep] = pair_images(images, self._cameras, reference, tolerance_ns)
        self.world_from_global = _world_from_global(images[0].ego_to_global, self.config.world)
        self._poses = _pose_track(content.readings, self.world_from_global)

    @classmethod
    def open(
        cls, root: Path, scene: str, version: str = "v1.0-mini", config: NuScenesDriveConfig | None = None
    ) -> "NuScenesDrive":
        """Reads the tables and opens one scene.

        Args:
            root: Folder with samples/, sweeps/ and the folder of the version.
            scene: Its name, such as "scene-0061".
            version: Such as "v1.0-mini" or "v1.0-trainval".
            config: What is used.

        Raises:
            DataError: If there is no such scene, nothing to use in it, or a table is missing or damaged.
        """
        return cls(read_scenes(root, [scene], version)[0], config)

    @property
    def name(self) -> str:
        """Name of the scene."""
        return re.sub(r"[^A-Za-z0-9_.-]", "_", self._content.name) or "scene"

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras in the order of a sweep."""
        return self._cameras

    @cached_property
    def images(self) -> tuple[DriveImage, ...]:
        """All images whose files are there, sweep by sweep."""
        return tuple(
            self._image(number, sweep.readings[camera])
            for number, sweep in enumerate(self._sweeps)
            for camera in self._cameras
            if camera in sweep.readings
        )

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Time of CAM_FRONT, or of the first of the chosen cameras."""
        return tuple(sweep.stamp_ns for sweep in self._sweeps)

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """The sweeps of the samples."""
        return tuple(number for number, sweep in enumerate(self._sweeps) if sweep.sample is not None)

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """End of each revolution of LIDAR_TOP whose file is there."""
        return tuple(item.stamp_ns for item in self._revolutions)

    @cached_property
    def tracks(self) -> tuple[BoxTrack, ...]:
        """Labelled objects by instance tokens, at the times of the samples."""
        return tuple(
            replace(track, box_to_world=self.world_from_global @ track.box_to_world) for track in self._content.tracks
        )

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] of the vehicle, interpolated between the readings of all sensors."""
        return self._poses.at_one(stamp_ns)

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Reads the pixels [height width 3] of an image, RGB.

        Raises:
            DataError: If the file is missing, damaged or of another size, or the image is not of this drive.
        """
        path = self._reading(image).path
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise DataError(f"cannot read image {path}; unpack it again")
        if pixels.shape[:2] != (image.height, image.width):
            raise DataError(f"{path} has {pixels.shape[:2]} pixels, the tables say {(image.height, image.width)}")
        return np.ascontiguousarray(pixels[..., ::-1])

    def read_scan(self, index: int) -> DriveScan:
        """Reads the revolution at a position of `scan_stamps_ns`, the nearest points left out.

        Raises:
            DataError: If the file is missing or damaged.
        """
        item = self._revolutions[index]
        return read_revolution(item.path, item.stamp_ns, item.sensor.sensor_to_ego, self._poses, self.config.lidar)

    def sample_token(self, sweep: int) -> str:
        """Returns the token of a key sweep, by which labels of others are found.

        Raises:
            DataError: If it is no key sweep.
        """
        token = self._sweeps[sweep].sample if 0 <= sweep < len(self._sweeps) else None
        if token is None:
            raise DataError(f"{self.name}: sweep {sweep} is no sample")
        return token

    def sample_stamp_ns(self, sweep: int) -> int:
        """Returns the time of the sample of a key sweep, in whose ego frame Occ3D labels are.

        Raises:
            DataError: If it is no key sweep.
        """
        return self._content.sample_stamps_ns[self.sample_token(sweep)]

    def _image(self, sweep: int, item: Reading) -> DriveImage:
        if item.sensor.intrinsics is None or min(item.size) < 1:
            raise DataError(f"{item.path}: the tables lack its intrinsics or its size")
        return DriveImage(
            camera=item.sensor.channel,
            sweep=sweep,
            stamp_ns=item.stamp_ns,
            intrinsics=item.sensor.intrinsics,
            camera_to_world=self.world_from_global @ item.ego_to_global @ item.sensor.sensor_to_ego,
            height=item.size[0],
            width=item.size[1],
        )

    def _reading(self, image: DriveImage) -> Reading:
        sweep = self._sweeps[image.sweep] if 0 <= image.sweep < len(self._sweeps) else None
        if sweep is None or image.camera not in sweep.readings:
            raise DataError(f"{self.name} has no image of {image.camera} in sweep {image.sweep}")
        return sweep.readings[image.camera]


def _camera_names(content: SceneContent, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    found = {item.sensor.channel for item in content.readings if item.sensor.modality == "camera"}
    if wanted is None:
        return (*(name for name in CAMERA_NAMES if name in found), *sorted(found - set(CAMERA_NAMES)))
    for name in wanted:
        if name not in found:
            raise DataError(f"{content.name} has no camera {name}; it has {', '.join(sorted(found)) or 'none'}")
    return wanted


def _present(readings: list[Reading]) -> list[Reading]:
    present = [item for item in readings if item.path.is_file()]
    if len(present) < len(readings):
        lost = next(item.path for item in readings if not item.path.is_file())
        logger.warning("%d of %d files are missing, such as %s", len(readings) - len(present), len(readings), lost)
    return present


def _world_from_global(ego_to_global: FloatArray, world: str) -> FloatArray:
    if world == "global":
        return np.eye(4)
    heading = np.arctan2(ego_to_global[1, 0], ego_to_global[0, 0])
    upright = np.eye(4)
    upright[:2, :2] = [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
    upright[:3, 3] = ego_to_global[:3, 3]
    return np.asarray(np.linalg.inv(upright))


def _pose_track(readings: tuple[Reading, ...], world_from_global: FloatArray) -> PoseTrack:
    poses = {item.stamp_ns: world_from_global @ item.ego_to_global for item in readings}
    return PoseTrack(list(poses), list(poses.values()))
