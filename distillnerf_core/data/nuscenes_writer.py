"""Writes any drive as a data set in nuScenes format."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydantic
from tqdm import tqdm

from distillnerf_core.configuration import Config
from distillnerf_core.data.drive import Drive, DriveImage, FloatArray
from distillnerf_core.data.nuscenes_labels import SampleLabels, write_labels
from distillnerf_core.data.nuscenes_points import write_revolution
from distillnerf_core.data.nuscenes_rows import NuScenesRows, link, pose_fields, token_of
from distillnerf_core.data.nuscenes_samples import SampleTime, plan_samples
from distillnerf_core.data.nuscenes_tables import NuScenesTables, Row
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.rig import LIDAR_NAME, nuscenes_lidar_to_ego

_SAME_MOUNT = 1e-6


class NuScenesWriteConfig(Config):
    """How a drive is written.

    Attributes:
        version: Name of the folder of the tables; readers expect v1.0-mini, v1.0-trainval or v1.0-test.
        location: Where it was recorded, for log.json.
        vehicle: Which vehicle recorded it.
        jpeg_quality: Quality of the images.
        rotation_s: Duration of a revolution of the LiDAR.
        seen_only: Whether to label an object only from the first to the last sample in which the LiDAR hits it (without
            LiDAR: in which a camera may see it), as people do; else at all times that its track covers.
    """

    version: str = pydantic.Field(default="v1.0-mini", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    location: str = "unknown"
    vehicle: str = "unknown"
    jpeg_quality: int = pydantic.Field(default=95, ge=1, le=100)
    rotation_s: float = pydantic.Field(default=0.05, gt=0, le=1)
    seen_only: bool = True


@dataclass(frozen=True)
class WrittenScene:
    """What was written.

    Attributes:
        name: Name of the scene.
        samples: Number of samples.
        images: Number of images, key frames and others.
        revolutions: Number of LiDAR revolutions.
        boxes: Number of labelled boxes.
    """

    name: str
    samples: int
    images: int
    revolutions: int
    boxes: int


def written_scenes(root: Path, version: str = "v1.0-mini") -> tuple[str, ...]:
    """Returns the names of the scenes that a folder holds, sorted; none where there are no tables.

    Raises:
        DataError: If the tables are damaged.
    """
    return tuple(NuScenesTables(root, version).scenes()) if (root / version / "scene.json").exists() else ()


def write_nuscenes(drive: Drive, root: Path, config: NuScenesWriteConfig | None = None) -> WrittenScene:
    """Writes a drive as a scene, beside those that the folder holds already.

    Key sweeps become samples, their images and the revolution that ends next to them key frames (samples/), all else
    goes to sweeps/. The global frame is the drive's world. Tokens follow from names, so the same drive gives the same
    tables. LIDAR_TOP stands where the points' origins say and has the axes of nuScenes (x right, y forward, z up). The
    map is empty. The tables change only when all files are written.

    Args:
        drive: The drive.
        root: Folder that gets samples/, sweeps/, maps/ and the folder of the version.
        config: How it is written.

    Raises:
        DataError: If the scene is there already, the drive has no key sweep, or something cannot be read or written.
    """
    config = config or NuScenesWriteConfig()
    if drive.name in written_scenes(root, config.version):
        raise DataError(f"{root / config.version} has a scene {drive.name} already; choose another folder or delete it")
    samples = plan_samples(drive)
    if not samples:
        raise DataError(f"{drive.name} has no key sweep, so there is nothing to label")
    try:
        rows = NuScenesRows(root, config.version)
        return _SceneWriter(drive, root, config, rows, samples).write()
    except OSError as err:
        raise DataError(f"cannot write {drive.name} to {root}: {err}; choose another folder") from err


class _SceneWriter:
    def __init__(
        self, drive: Drive, root: Path, config: NuScenesWriteConfig, rows: NuScenesRows, samples: Sequence[SampleTime]
    ) -> None:
        self._drive, self._root, self._config, self._rows, self._samples = drive, root, config, rows, samples
        self._log, self._scene = token_of("log", drive.name), token_of("scene", drive.name)
        self._chains: dict[str, list[Row]] = {}
        self._mounts: dict[str, list[tuple[FloatArray, list[Any], str]]] = {}
        self._labels = SampleLabels(drive, samples)
        self._keys = {sample.sweep: number for number, sample in enumerate(samples)}

    def write(self) -> WrittenScene:
        drive, samples = self._drive, [self._sample(number) for number in range(len(self._samples))]
        self._write_map()
        for image in tqdm(drive.images, desc=f"{drive.name}: images", unit="image", disable=None):
            self._write_image(image)
        for index in tqdm(range(len(drive.scan_stamps_ns)), desc=f"{drive.name}: LiDAR", unit="scan", disable=None):
            self._write_scan(index)
        for chain in (samples, *self._chains.values()):
            link(sorted(chain, key=lambda row: row["timestamp"]))
        boxes = write_labels(self._rows, self._labels, [row["token"] for row in samples], self._config.seen_only)
        self._rows.add(
            "scene",
            self._scene,
            log_token=self._log,
            nbr_samples=len(samples),
            first_sample_token=samples[0]["token"],
            last_sample_token=samples[-1]["token"],
            name=drive.name,
            description="",
        )
        self._rows.save()
        return WrittenScene(drive.name, len(samples), len(drive.images), len(drive.scan_stamps_ns), boxes)

    def _sample(self, number: int) -> Row:
        stamp_us, token = self._samples[number].stamp_ns // 1000, token_of("sample", self._drive.name, number)
        return self._rows.add("sample", token, timestamp=stamp_us, prev="", next="", scene_token=self._scene)

    def _write_map(self) -> None:
        """Writes an empty mask: the devkit wants a map for each log."""
        date = datetime.fromtimestamp(self._samples[0].stamp_ns * 1e-9, tz=timezone.utc).strftime("%Y-%m-%d")
        about = {"vehicle": self._config.vehicle, "location": self._config.location}
        self._rows.add("log", self._log, logfile=self._drive.name, date_captured=date, **about)
        token = token_of("map", self._config.location)
        row = self._rows.add("map", token, category="semantic_prior", filename=f"maps/{token}.png", log_tokens=[])
        row["log_tokens"] = [*row["log_tokens"], self._log]
        path = self._root / f"maps/{token}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_picture(path, np.zeros((64, 64), dtype=np.uint8), [])

    def _write_image(self, image: DriveImage) -> None:
        key = self._keys.get(image.sweep)
        name = self._file(key is not None, image.camera, image.stamp_ns, "jpg")
        pixels = self._drive.read_image(image)
        _write_picture(self._root / name, pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self._config.jpeg_quality])
        ego_to_world = self._drive.ego_to_world(image.stamp_ns)
        mount = np.linalg.inv(ego_to_world) @ image.camera_to_world
        calibration = self._calibration(image.camera, "camera", mount, image.intrinsics)
        self._add(image.camera, calibration, image.stamp_ns, ego_to_world, name, key, (image.height, image.width))

    def _write_scan(self, index: int) -> None:
        scan = self._drive.read_scan(index)
        key = next((number for number, sample in enumerate(self._samples) if sample.scan == index), None)
        name = self._file(key is not None, LIDAR_NAME, scan.stamp_ns, "pcd.bin")
        ego_to_world = self._drive.ego_to_world(scan.stamp_ns)
        mount = self._lidar_mount(scan.origins_m, scan.stamps_ns)
        write_revolution(self._root / name, scan, ego_to_world @ mount, round(self._config.rotation_s * 1e9))
        calibration = self._calibration(LIDAR_NAME, "lidar", mount, None)
        self._add(LIDAR_NAME, calibration, scan.stamp_ns, ego_to_world, name, key, (0, 0))
        if key is not None:
            self._labels.count_points(key, scan.points_m)

    def _lidar_mount(self, origins_m: FloatArray, stamps_ns: np.ndarray) -> FloatArray:
        """Returns the pose of the LiDAR on the vehicle, from where it was at its last point."""
        if LIDAR_NAME in self._mounts:
            return self._mounts[LIDAR_NAME][0][0]
        mount = nuscenes_lidar_to_ego().double().numpy()
        if len(stamps_ns):
            last = int(np.argmax(stamps_ns))
            world_to_ego = np.linalg.inv(self._drive.ego_to_world(int(stamps_ns[last])))
            mount[:3, 3] = world_to_ego[:3, :3] @ origins_m[last] + world_to_ego[:3, 3]
        return mount

    def _calibration(self, channel: str, modality: str, mount: FloatArray, intrinsics: FloatArray | None) -> str:
        """Returns the token of a mounting; cameras whose mounting or lens changes get several."""
        known = self._mounts.setdefault(channel, [])
        matrix = [] if intrinsics is None else intrinsics.tolist()
        for pose, lens, token in known:
            if lens == matrix and np.abs(pose - mount).max() < _SAME_MOUNT:
                return token
        sensor = token_of("sensor", channel)
        self._rows.add("sensor", sensor, channel=channel, modality=modality)
        token = token_of("calibrated_sensor", self._drive.name, channel, len(known))
        fields = pose_fields(mount)
        self._rows.add("calibrated_sensor", token, sensor_token=sensor, camera_intrinsic=matrix, **fields)
        known.append((mount, matrix, token))
        return token

    def _add(
        self,
        channel: str,
        calibration: str,
        stamp_ns: int,
        ego_to_world: FloatArray,
        filename: str,
        key: int | None,
        size: tuple[int, int],
    ) -> None:
        chain = self._chains.setdefault(channel, [])
        token = token_of("sample_data", self._drive.name, channel, len(chain))
        self._rows.add("ego_pose", token, timestamp=stamp_ns // 1000, **pose_fields(ego_to_world))
        # What is between samples belongs to the next one.
        stamps = [sample.stamp_ns for sample in self._samples]
        number = key if key is not None else min(int(np.searchsorted(stamps, stamp_ns)), len(stamps) - 1)
        row = self._rows.add(
            "sample_data",
            token,
            sample_token=token_of("sample", self._drive.name, number),
            ego_pose_token=token,
            calibrated_sensor_token=calibration,
            timestamp=stamp_ns // 1000,
            fileformat="jpg" if filename.endswith("jpg") else "pcd",
            is_key_frame=key is not None,
            height=size[0],
            width=size[1],
            filename=filename,
        )
        chain.append(row)

    def _file(self, key_frame: bool, channel: str, stamp_ns: int, suffix: str) -> str:
        safe = re.sub(r"[^A-Za-z0-9_.-]", "_", channel)
        name = f"{'samples' if key_frame else 'sweeps'}/{safe}/{self._drive.name}__{safe}__{stamp_ns // 1000}.{suffix}"
        (self._root / name).parent.mkdir(parents=True, exist_ok=True)
        return name


def _write_picture(path: Path, pixels: np.ndarray, options: Sequence[int]) -> None:
    encoded, data = cv2.imencode(path.suffix, pixels, list(options))
    if not encoded:
        raise DataError(f"{path}: an image of {pixels.shape} cannot be compressed")
    path.write_bytes(data.tobytes())
