"""Writes a folder of real frames as a bag in the layout of WATonomous nuscenes_to_ros2bag."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distillnerf_core.data.neutral_layout import FloatArray, FolderLayout, FrameEntry, read_layout, read_points
from distillnerf_core.errors import DataError
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.message_fields import NANOSECONDS
from distillnerf_core.streams.stamped_transform import StampedTransform

_SINGLE_FRAME_REPEATS = 8
_LIDAR = "LIDAR_TOP"
_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4")])


@dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Attributes:
        sweeps: Number of glances of all cameras.
        images: Number of images.
        clouds: Number of LiDAR sweeps.
    """

    sweeps: int
    images: int
    clouds: int


@dataclass(frozen=True)
class _Reading:
    sensor: str
    stamp_ns: int
    path: Path
    map_from_base: FloatArray


def export_frames(
    folder: Path, output: Path, *, repeat: int | None = None, rate_hz: float = 4.0, overwrite: bool = False
) -> ExportSummary:
    """Writes the frames of a folder in the neutral layout (calib.json, frames/, lidar/) as a bag.

    Topics `/<camera>/image_rect_compressed` (the files' own bytes), `/<camera>/camera_info`, `/LIDAR_TOP`, and
    `/tf` with map -> base_link and base_link -> sensor at the time of every sensor reading.

    Args:
        folder: The folder.
        output: Bag to write: .mcap, .db3, or a rosbag2 folder.
        repeat: How often the frames are written, each time later; 8 for a single frame and 1 for several where None.
        rate_hz: Repetitions (of a single frame) each second.
        overwrite: Replace an existing bag.

    Raises:
        DataError: If the folder lacks something; names it.
        BagError: If the bag cannot be written.
    """
    layout = read_layout(folder)
    frames = [list(_readings(layout, frame)) for frame in layout.frames]
    times = [reading.stamp_ns for readings in frames for reading in readings]
    if repeat is None:
        repeat = _SINGLE_FRAME_REPEATS if len(frames) == 1 else 1
    period_ns = max(times) - min(times) if len(frames) > 1 else 0
    period_ns += round(NANOSECONDS / rate_hz)
    images = clouds = 0
    with BagWriter(output, overwrite=overwrite) as bag:
        for round_number in tqdm(range(repeat), desc="writing", unit="pass", disable=None):
            for readings in frames:
                for reading in sorted(readings, key=lambda item: item.stamp_ns):
                    _write(bag, reading, reading.stamp_ns + round_number * period_ns, layout)
                    clouds += reading.sensor == _LIDAR
                    images += reading.sensor != _LIDAR
    return ExportSummary(repeat * len(frames), images, clouds)


def _readings(layout: FolderLayout, frame: FrameEntry) -> Iterator[_Reading]:
    sensors = dict(frame.cameras)
    if frame.lidar is not None:
        sensors[_LIDAR] = frame.lidar
    for name, entry in sensors.items():
        if entry.stamp_ns is None:
            raise DataError(f"{layout.folder}/calib.json: {entry.path} has no timestamp_us; a bag needs times")
        if name in layout.cameras and layout.cameras[name].size is None:
            raise DataError(f"{layout.folder}/calib.json: camera {name} has no width and height; a bag needs them")
        if not entry.path.is_file():
            raise DataError(f"{entry.path} is missing; calib.json names it")
        pose = np.eye(4) if entry.ego_to_global is None else entry.ego_to_global
        yield _Reading(name, entry.stamp_ns, entry.path, pose)


def _write(bag: BagWriter, reading: _Reading, stamp_ns: int, layout: FolderLayout) -> None:
    extrinsics = {name: camera.camera_to_ego for name, camera in layout.cameras.items()}
    if layout.lidar_to_ego is not None:
        extrinsics[_LIDAR] = layout.lidar_to_ego
    transforms = [StampedTransform("map", "base_link", stamp_ns, reading.map_from_base)]
    transforms += [StampedTransform("base_link", name, stamp_ns, matrix) for name, matrix in extrinsics.items()]
    bag.write_tf(transforms, stamp_ns)
    if reading.sensor == _LIDAR:
        bag.write_point_cloud(f"/{_LIDAR}", stamp_ns, _LIDAR, structured_points(reading.path))
        return
    camera = layout.cameras[reading.sensor]
    assert camera.size is not None
    bag.write_camera_info(f"/{reading.sensor}/camera_info", stamp_ns, reading.sensor, camera.size, camera.intrinsics)
    bag.write_compressed_image(
        f"/{reading.sensor}/image_rect_compressed",
        stamp_ns,
        reading.sensor,
        reading.path.read_bytes(),
        image_format="png" if reading.path.suffix == ".png" else "jpeg",
    )


def structured_points(path: Path) -> NDArray[Any]:
    """Reads a LiDAR sweep as a flat structured array with x, y, z and intensity.

    Raises:
        DataError: If the file is missing or damaged.
    """
    values = read_points(path)
    points = np.zeros(len(values), dtype=_POINT)
    for index, name in enumerate(_POINT.names or ()):
        points[name] = values[:, index]
    return points
