"""Writes a nuScenes scene as a bag in the layout of WATonomous nuscenes_to_ros2bag, without its faults."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from distillnerf_core.data.bag_export import structured_points
from distillnerf_core.data.nuscenes_tables import NuScenesTables, Reading, Sensor
from distillnerf_core.errors import DataError
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.stamped_transform import StampedTransform

logger = logging.getLogger(__name__)

_LIDAR = "LIDAR_TOP"


@dataclass(frozen=True)
class SceneSummary:
    """What was written.

    Attributes:
        images: Number of images.
        clouds: Number of LiDAR sweeps.
        poses: Number of poses of the vehicle.
        missing: Files that the tables name and the download lacks.
        duration_s: Time between the first and the last reading.
    """

    images: int
    clouds: int
    poses: int
    missing: tuple[Path, ...]
    duration_s: float


def export_scene(
    root: Path, output: Path, scene: str, *, version: str = "v1.0-mini", sweeps: bool = True, overwrite: bool = False
) -> SceneSummary:
    """Writes a scene of a nuScenes download.

    Topics `/<camera>/image_rect_compressed` (the files' own bytes), `/<camera>/camera_info`, `/LIDAR_TOP`, `/tf` with
    map -> base_link at the stamp of every reading of any sensor, and `/tf_static` with base_link -> sensor.

    Args:
        root: Folder with samples/, sweeps/ and the folder of the version.
        output: Bag to write: .mcap, .db3, or a rosbag2 folder.
        scene: Name, such as "scene-0061".
        version: Folder of the tables.
        sweeps: Every image (12 Hz) and LiDAR revolution (20 Hz); else the labelled key frames (2 Hz) alone.
        overwrite: Replace an existing bag.

    Raises:
        DataError: If version, scene or a table is missing or damaged, or the download has no file of the scene.
        BagError: If the bag cannot be written.
    """
    readings = NuScenesTables(root, version).readings(scene)
    chosen = [item for item in readings if _is_wanted(item.sensor) and (sweeps or item.key_frame)]
    missing = tuple(item.path for item in chosen if not item.path.is_file())
    present = [item for item in chosen if item.path.is_file()]
    if not any(item.sensor.modality == "camera" for item in present):
        raise DataError(
            f"no image of {scene} is in {root}; the first that is missing: {missing[0] if missing else '-'}"
        )
    for path in missing[:3]:
        logger.warning("missing: %s", path)
    with BagWriter(output, overwrite=overwrite) as bag:
        _write_mounts(bag, readings)
        _write_readings(bag, readings, {id(item) for item in present})
    return SceneSummary(
        images=sum(item.sensor.modality == "camera" for item in present),
        clouds=sum(item.sensor.modality == "lidar" for item in present),
        poses=len({item.stamp_ns for item in readings}),
        missing=missing,
        duration_s=(readings[-1].stamp_ns - readings[0].stamp_ns) * 1e-9,
    )


def _is_wanted(sensor: Sensor) -> bool:
    return sensor.modality == "camera" or sensor.channel == _LIDAR


def _write_mounts(bag: BagWriter, readings: Sequence[Reading]) -> None:
    sensors = {item.sensor.channel: item.sensor for item in readings}
    for item in readings:
        if not np.allclose(item.sensor.sensor_to_ego, sensors[item.sensor.channel].sensor_to_ego):
            raise DataError(f"{item.sensor.channel} is mounted in two ways within the scene; its tables are damaged")
    first_ns = readings[0].stamp_ns
    mounts = [
        StampedTransform("base_link", name, first_ns, sensor.sensor_to_ego) for name, sensor in sorted(sensors.items())
    ]
    bag.write_tf(mounts, first_ns, static=True)


def _write_readings(bag: BagWriter, readings: Sequence[Reading], present: set[int]) -> None:
    last_ns = -1
    for item in tqdm(readings, desc="writing", unit="reading", disable=None):
        if item.stamp_ns != last_ns:
            bag.write_tf([StampedTransform("map", "base_link", item.stamp_ns, item.ego_to_global)], item.stamp_ns)
            last_ns = item.stamp_ns
        if id(item) in present:
            _write(bag, item)


def _write(bag: BagWriter, item: Reading) -> None:
    name, sensor = item.sensor.channel, item.sensor
    if sensor.intrinsics is None:
        bag.write_point_cloud(f"/{name}", item.stamp_ns, name, structured_points(item.path))
        return
    bag.write_camera_info(f"/{name}/camera_info", item.stamp_ns, name, item.size, sensor.intrinsics)
    kind = "png" if item.path.suffix == ".png" else "jpeg"
    try:
        data = item.path.read_bytes()
    except OSError as err:
        raise DataError(f"cannot read {item.path}: {err}") from err
    bag.write_compressed_image(f"/{name}/image_rect_compressed", item.stamp_ns, name, data, image_format=kind)
