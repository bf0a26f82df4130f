"""Writes a folder of real frames as a bag in the layout of WATonomous nuscenes_to_ros2bag."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distillnerf_core.errors import DataError
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.message_fields import NANOSECONDS
from distillnerf_core.streams.stamped_transform import StampedTransform

FloatArray = NDArray[np.float64]
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
    calibration = _read_calibration(folder)
    frames = [list(_readings(folder, frame)) for frame in calibration["frames"]]
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
                    _write(bag, reading, reading.stamp_ns + round_number * period_ns, calibration)
                    clouds += reading.sensor == _LIDAR
                    images += reading.sensor != _LIDAR
    return ExportSummary(repeat * len(frames), images, clouds)


def _read_calibration(folder: Path) -> Any:
    path = folder / "calib.json"
    try:
        calibration = json.loads(path.read_text(encoding="utf-8"))
        for name, camera in calibration["cameras"].items():
            if np.shape(camera.get("K")) != (3, 3):
                raise DataError(f"{path}: camera {name} has no 3x3 K; only pinhole cameras can be written")
        if not calibration["frames"]:
            raise DataError(f"{path}: no frames")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise DataError(f"{path}: expected cameras and frames in the neutral layout, got {err!r}") from err
    return calibration


def _readings(folder: Path, frame: Mapping[str, Any]) -> Iterator[_Reading]:
    sensors = dict(frame["cameras"])
    lidar = frame.get("lidar")
    if lidar and lidar.get("file"):
        sensors[_LIDAR] = lidar
    for name, entry in sensors.items():
        path, time_us, pose = folder / entry["file"], entry.get("timestamp_us"), entry.get("ego_to_global")
        if time_us is None:
            raise DataError(f"{folder}/calib.json: {entry['file']} has no timestamp_us; a bag needs times")
        if not path.is_file():
            raise DataError(f"{path} is missing; calib.json names it")
        yield _Reading(name, round(time_us) * 1000, path, np.eye(4) if pose is None else np.array(pose))


def _write(bag: BagWriter, reading: _Reading, stamp_ns: int, calibration: Mapping[str, Any]) -> None:
    extrinsics = {name: camera["cam_to_ego"] for name, camera in calibration["cameras"].items()}
    if calibration.get("lidar"):
        extrinsics[_LIDAR] = calibration["lidar"]["lidar_to_ego"]
    transforms = [StampedTransform("map", "base_link", stamp_ns, reading.map_from_base)]
    transforms += [
        StampedTransform("base_link", name, stamp_ns, np.array(matrix)) for name, matrix in extrinsics.items()
    ]
    bag.write_tf(transforms, stamp_ns)
    if reading.sensor == _LIDAR:
        bag.write_point_cloud(f"/{_LIDAR}", stamp_ns, _LIDAR, _read_points(reading.path))
        return
    camera = calibration["cameras"][reading.sensor]
    size, intrinsics = (int(camera["height"]), int(camera["width"])), np.array(camera["K"], dtype=np.float64)
    bag.write_camera_info(f"/{reading.sensor}/camera_info", stamp_ns, reading.sensor, size, intrinsics)
    bag.write_compressed_image(
        f"/{reading.sensor}/image_rect_compressed",
        stamp_ns,
        reading.sensor,
        reading.path.read_bytes(),
        image_format="png" if reading.path.suffix == ".png" else "jpeg",
    )


def _read_points(path: Path) -> NDArray[Any]:
    try:
        values = np.load(path)["xyzi"] if path.suffix == ".npz" else np.fromfile(path, "<f4").reshape(-1, 5)
    except (OSError, ValueError, KeyError) as err:
        raise DataError(f"{path}: expected float32 x y z intensity ring, or an npz with xyzi: {err!r}") from err
    points = np.zeros(len(values), dtype=_POINT)
    for index, name in enumerate(_POINT.names or ()):
        points[name] = values[:, index]
    return points
