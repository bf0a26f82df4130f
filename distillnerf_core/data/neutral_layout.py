"""The neutral layout of recorded frames: calib.json, frames/NNN/<camera>.jpg, lidar/NNN.*, boxes_lidar.json."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.paths import file_inside
from distillnerf_core.errors import DataError

FloatArray = NDArray[np.float64]
CALIBRATION_FILE = "calib.json"
BOXES_FILE = "boxes_lidar.json"


@dataclass(frozen=True)
class CameraEntry:
    """Calibration of a pinhole camera.

    Attributes:
        intrinsics: Pinhole matrix [3 3], pixels of the recorded images.
        camera_to_ego: Mounting pose [4 4], metres.
        size: Height and width of the images in pixels; None where calib.json does not say.
    """

    intrinsics: FloatArray
    camera_to_ego: FloatArray
    size: tuple[int, int] | None


@dataclass(frozen=True)
class SensorEntry:
    """What one sensor recorded once.

    Attributes:
        path: The file, which need not exist.
        stamp_ns: Time of the reading; None where unknown.
        ego_to_global: Pose [4 4] of the ego frame at that time, metres; None where unknown.
    """

    path: Path
    stamp_ns: int | None
    ego_to_global: FloatArray | None


@dataclass(frozen=True)
class BoxEntry:
    """A labelled object.

    Attributes:
        label: Category as the recording names it.
        pose: Pose [4 4] of the box in the frame of the list that holds it; x is the heading.
        size_lwh_m: Length, width and height, metres.
        identity: Names the object in all frames; None where unknown.
    """

    label: str
    pose: FloatArray
    size_lwh_m: tuple[float, float, float]
    identity: str | None = None


@dataclass(frozen=True)
class FrameEntry:
    """All that was recorded at about one time.

    Attributes:
        cameras: The images, in the order of the calibration.
        lidar: The LiDAR sweep; None where there is no file.
        lidar_ego_to_global: Pose [4 4] of the ego frame at the time of the LiDAR, also without a file; None where
            unknown.
        boxes_lidar: Boxes in the LiDAR's frame.
        boxes_global: Boxes in the global frame.
    """

    cameras: Mapping[str, SensorEntry]
    lidar: SensorEntry | None
    lidar_ego_to_global: FloatArray | None
    boxes_lidar: tuple[BoxEntry, ...]
    boxes_global: tuple[BoxEntry, ...]


@dataclass(frozen=True)
class FolderLayout:
    """What calib.json says.

    Attributes:
        folder: The folder.
        cameras: Calibration of every camera, at least one.
        lidar_to_ego: Mounting pose [4 4] of the LiDAR, metres; None where there is none.
        frames: All frames, at least one.
    """

    folder: Path
    cameras: Mapping[str, CameraEntry]
    lidar_to_ego: FloatArray | None
    frames: tuple[FrameEntry, ...]


def read_layout(folder: Path) -> FolderLayout:
    """Reads and checks calib.json.

    Raises:
        DataError: If it is missing or damaged, if a camera is no pinhole camera, or if there is no camera or frame.
    """
    path = folder / CALIBRATION_FILE
    content = _read_json(path)
    with _naming(f"{path}"):
        cameras = {name: _camera(folder, name, entry) for name, entry in content["cameras"].items()}
        lidar_to_ego = _rigid(content["lidar"]["lidar_to_ego"]) if content.get("lidar") else None
        entries = list(content["frames"])
    if not cameras or not entries:
        raise DataError(f"{path}: no cameras or no frames")
    frames = []
    for index, entry in enumerate(entries):
        with _naming(f"{path}: frame {index}"):
            frames.append(_frame(folder, entry, tuple(cameras)))
        if frames[-1].lidar is not None and lidar_to_ego is None:
            raise DataError(f"{path}: frame {index} has a LiDAR sweep, but there is no lidar_to_ego")
    return FolderLayout(folder, cameras, lidar_to_ego, tuple(frames))


def read_boxes(folder: Path) -> tuple[BoxEntry, ...]:
    """Reads the boxes in the LiDAR's frame from boxes_lidar.json, which belongs to folders of a single frame.

    Returns:
        The boxes; none where there is no such file.

    Raises:
        DataError: If the file is damaged.
    """
    path = folder / BOXES_FILE
    if not path.is_file():
        return ()
    with _naming(f"{path}"):
        return tuple(_upright_box(entry) for entry in _read_json(path))


def read_points(path: Path) -> NDArray[Any]:
    """Reads a LiDAR sweep: a nuScenes .bin (five float32 a point) or an .npz with `xyzi`.

    Returns:
        x, y, z in metres in the LiDAR's frame and intensity, [points 4].

    Raises:
        DataError: If the file is missing or damaged.
    """
    try:
        values = (
            np.load(path, allow_pickle=False)["xyzi"]
            if path.suffix == ".npz"
            else np.fromfile(path, "<f4").reshape(-1, 5)
        )
        return np.asarray(values[:, :4])
    except (OSError, ValueError, KeyError, IndexError) as err:
        raise DataError(f"{path}: expected float32 x y z intensity ring, or an npz with xyzi: {err!r}") from err


def read_rings(path: Path) -> NDArray[np.int16]:
    """Reads the beam [points] of each point of a LiDAR sweep, from 0 for the lowest; -1 where the file does not say.

    Raises:
        DataError: If the file is missing or damaged.
    """
    count = len(read_points(path))
    if path.suffix == ".npz":
        return np.full(count, -1, dtype=np.int16)
    return np.asarray(np.fromfile(path, "<f4").reshape(-1, 5)[:, 4].round().astype(np.int16))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise DataError(f"cannot read {path}: {err}; expected a folder in the neutral layout") from err


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Turns whatever goes wrong with the content into an error that says where."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise DataError(f"{what} is not in the neutral layout: {err!r}") from err


def _camera(folder: Path, name: str, entry: Mapping[str, Any]) -> CameraEntry:
    if np.shape(entry.get("K", ())) != (3, 3):
        model = entry.get("model", "unknown")
        raise DataError(
            f"{folder / CALIBRATION_FILE}: camera {name} has no 3x3 K (model {model!r}); "
            "only pinhole cameras can be used"
        )
    height, width = entry.get("height"), entry.get("width")
    size = None if height is None or width is None else (int(height), int(width))
    return CameraEntry(np.array(entry["K"], dtype=np.float64), _rigid(entry["cam_to_ego"]), size)


def _frame(folder: Path, entry: Mapping[str, Any], cameras: tuple[str, ...]) -> FrameEntry:
    lidar = entry.get("lidar") or {}
    return FrameEntry(
        cameras={name: _sensor(folder, entry["cameras"][name]) for name in cameras if name in entry["cameras"]},
        lidar=_sensor(folder, lidar) if lidar.get("file") else None,
        lidar_ego_to_global=_pose(lidar),
        boxes_lidar=tuple(_box(box, "box_to_lidar") for box in entry.get("boxes_lidar", ())),
        boxes_global=tuple(_box(box, "box_to_global") for box in entry.get("boxes_global", ())),
    )


def _sensor(folder: Path, entry: Mapping[str, Any]) -> SensorEntry:
    time_us = entry.get("timestamp_us")
    stamp_ns = None if time_us is None else round(time_us) * 1000
    return SensorEntry(file_inside(folder, str(entry["file"])), stamp_ns, _pose(entry))


def _pose(entry: Mapping[str, Any]) -> FloatArray | None:
    matrix = entry.get("ego_to_global")
    return None if matrix is None else _rigid(matrix)


def _box(entry: Mapping[str, Any], pose: str) -> BoxEntry:
    length, width, height = (float(value) for value in entry["l_w_h"])
    identity = entry.get("instance_id")
    return BoxEntry(
        str(entry["label"]),
        _rigid(entry[pose]),
        (length, width, height),
        None if identity is None else str(identity),
    )


def _upright_box(entry: Mapping[str, Any]) -> BoxEntry:
    x, y, z, length, width, height, yaw = (float(value) for value in entry["center_l_w_h_yaw_lidar"])
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:3, 3] = x, y, z
    return BoxEntry(str(entry["label"]), pose, (length, width, height))


def _rigid(values: Any) -> FloatArray:
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (4, 4) or not abs(np.linalg.det(matrix[:3, :3]) - 1.0) < 0.01:
        raise ValueError(f"expected a rigid 4x4 matrix, got {values!r:.120}")
    return matrix
