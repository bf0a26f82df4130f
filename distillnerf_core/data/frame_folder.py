"""Folders of real frames in the neutral layout: calib.json, frames/NNN/<camera>.jpg, lidar/NNN.*."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.data.recordings import LabelledBox, LidarSweep
from distillnerf_core.errors import DataError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig, scale_intrinsics

FloatArray = NDArray[np.float64]
BOXES_FILE = "boxes_lidar.json"


@dataclass(frozen=True)
class RecordedImage:
    """One image of a recorded frame.

    Attributes:
        camera: Name of the camera.
        pixels: RGB [height width 3], 0..255.
        intrinsics: Pinhole matrix [3 3] in pixels of the image.
        camera_to_ego: Pose [4 4] of the camera in the ego frame at the image's own time.
        ego_to_global: Pose [4 4] of the ego frame at the image's own time.
        stamp_ns: Time of the image, 0 where unknown.
    """

    camera: str
    pixels: NDArray[np.uint8]
    intrinsics: FloatArray
    camera_to_ego: FloatArray
    ego_to_global: FloatArray
    stamp_ns: int


@dataclass(frozen=True)
class RecordedFrame:
    """All that was recorded at about one time.

    Attributes:
        stamp_ns: Time of the reference camera; its ego frame is the frame of points and boxes.
        images: One image for each camera.
        reference_to_global: Pose [4 4] of the ego frame at `stamp_ns`.
        motion_compensated: Whether the recording knows the poses at the times of the sensors.
        lidar: LiDAR sweep moved to the ego frame at `stamp_ns`, None where there is none.
        boxes: Labelled objects in the ego frame at `stamp_ns`.
    """

    stamp_ns: int
    images: tuple[RecordedImage, ...]
    reference_to_global: FloatArray
    motion_compensated: bool
    lidar: LidarSweep | None
    boxes: tuple[LabelledBox, ...]

    def resized(self, height: int, width: int) -> MultiViewFrame:
        """Returns the images, resized by area averaging, as the frame type that the network takes."""
        world_to_ego = np.linalg.inv(self.reference_to_global)
        poses = [world_to_ego @ image.ego_to_global @ image.camera_to_ego for image in self.images]
        intrinsics = [_scaled_intrinsics(image, height, width) for image in self.images]
        pixels = [cv2.resize(image.pixels, (width, height), interpolation=cv2.INTER_AREA) for image in self.images]
        rig = CameraRig(
            names=tuple(image.camera for image in self.images),
            intrinsics=torch.stack(intrinsics),
            camera_to_ego=torch.from_numpy(np.stack(poses)).float(),
            height=height,
            width=width,
        )
        return MultiViewFrame(
            stamp_ns=self.stamp_ns,
            rig=rig,
            images=torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255.0,
            camera_mask=torch.ones(len(self.images), dtype=torch.bool),
            camera_stamps_ns=tuple(image.stamp_ns for image in self.images),
            motion_compensated=self.motion_compensated,
        )


class FrameFolder:
    """Reads a folder of real frames.

    Args:
        folder: Folder with calib.json.
        reference: Camera whose time is the reference; CAM_FRONT where present, else the first one.

    Raises:
        DataError: If the folder is not in the neutral layout, or a camera is no pinhole camera.
    """

    def __init__(self, folder: Path, reference: str | None = None) -> None:
        self.folder = folder
        self._calibration = _read_json(folder / "calib.json")
        self.cameras: tuple[str, ...] = tuple(_checked_cameras(folder, self._calibration))
        self.reference = reference or ("CAM_FRONT" if "CAM_FRONT" in self.cameras else self.cameras[0])
        if self.reference not in self.cameras:
            raise DataError(f"{folder}: no camera {self.reference!r}; there are {', '.join(self.cameras)}")

    def __len__(self) -> int:
        """Returns the number of frames."""
        return len(self._calibration["frames"])

    def __getitem__(self, index: int) -> RecordedFrame:
        """Reads a frame.

        Raises:
            DataError: If a file that calib.json names is missing or damaged.
            IndexError: If there is no such frame.
        """
        entry = self._calibration["frames"][index]
        try:
            return self._read(entry)
        except (KeyError, TypeError, ValueError) as err:
            raise DataError(f"{self.folder}/calib.json: frame {index} is not in the neutral layout: {err!r}") from err

    def _read(self, entry: Mapping[str, Any]) -> RecordedFrame:
        images = tuple(self._image(name, entry["cameras"][name]) for name in self.cameras if name in entry["cameras"])
        if self.reference not in entry["cameras"]:
            raise DataError(f"{self.folder}: a frame lacks the reference camera {self.reference}")
        reference = next(image for image in images if image.camera == self.reference)
        return RecordedFrame(
            stamp_ns=reference.stamp_ns,
            images=images,
            reference_to_global=reference.ego_to_global,
            motion_compensated=all("ego_to_global" in sensor for sensor in entry["cameras"].values()),
            lidar=self._lidar(entry, reference.ego_to_global),
            boxes=tuple(self._boxes(entry, reference.ego_to_global)),
        )

    def _image(self, name: str, entry: Mapping[str, Any]) -> RecordedImage:
        camera = self._calibration["cameras"][name]
        path = self.folder / entry["file"]
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise DataError(f"cannot read image {path}; calib.json names it")
        return RecordedImage(
            camera=name,
            pixels=pixels[..., ::-1].copy(),
            intrinsics=np.array(camera["K"], dtype=np.float64),
            camera_to_ego=np.array(camera["cam_to_ego"], dtype=np.float64),
            ego_to_global=_pose(entry),
            stamp_ns=_stamp_ns(entry),
        )

    def _lidar(self, entry: Mapping[str, Any], reference_to_global: FloatArray) -> LidarSweep | None:
        sensor = entry.get("lidar") or {}
        if not sensor.get("file"):
            return None
        points = _read_points(self.folder / sensor["file"])
        to_reference = self._lidar_to_reference(sensor, reference_to_global)
        moved = points @ to_reference[:3, :3].T + to_reference[:3, 3]
        x, y, z = (float(value) for value in to_reference[:3, 3])
        return LidarSweep(torch.from_numpy(moved).float(), _stamp_ns(sensor), (x, y, z))

    def _lidar_to_reference(self, sensor: Mapping[str, Any], reference_to_global: FloatArray) -> FloatArray:
        lidar_to_ego = np.array(self._calibration["lidar"]["lidar_to_ego"], dtype=np.float64)
        pose = _pose(sensor) if "ego_to_global" in sensor else reference_to_global
        return np.linalg.inv(reference_to_global) @ pose @ lidar_to_ego

    def _boxes(self, entry: Mapping[str, Any], reference_to_global: FloatArray) -> list[LabelledBox]:
        """Collects boxes from boxes_lidar.json (single frame), or from the frame's own boxes."""
        boxes = []
        from_lidar = None
        path = self.folder / BOXES_FILE
        if entry.get("lidar"):
            from_lidar = self._lidar_to_reference(entry["lidar"], reference_to_global)
        if path.is_file() and from_lidar is not None and len(self) == 1:
            for box in _read_json(path):
                x, y, z, length, width, height, yaw = (float(value) for value in box["center_l_w_h_yaw_lidar"])
                boxes.append(_box(box["label"], from_lidar @ _yaw_pose(x, y, z, yaw), (length, width, height)))
        for box in entry.get("boxes_lidar", ()) if from_lidar is not None else ():
            boxes.append(_box(box["label"], from_lidar @ np.array(box["box_to_lidar"]), box["l_w_h"]))
        for box in entry.get("boxes_global", ()):
            to_ego = np.linalg.inv(reference_to_global) @ np.array(box["box_to_global"])
            boxes.append(_box(box["label"], to_ego, box["l_w_h"]))
        return boxes


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise DataError(f"cannot read {path}: {err}; expected a folder in the neutral layout") from err


def _checked_cameras(folder: Path, calibration: Any) -> list[str]:
    """Returns the camera names after checking what every frame needs."""
    try:
        cameras, frames = calibration["cameras"], calibration["frames"]
        for name, camera in cameras.items():
            if np.shape(camera.get("K")) != (3, 3):
                model = camera.get("model", "unknown")
                raise DataError(f"{folder}: camera {name} has no 3x3 K (model {model!r}); only pinhole images are read")
            if np.shape(camera["cam_to_ego"]) != (4, 4):
                raise DataError(f"{folder}: camera {name}: cam_to_ego is no 4x4 matrix")
        if not cameras or not frames:
            raise DataError(f"{folder}/calib.json: no cameras or no frames")
        return list(cameras)
    except (KeyError, TypeError, AttributeError) as err:
        raise DataError(f"{folder}/calib.json: not in the neutral layout: {err!r}") from err


def _read_points(path: Path) -> FloatArray:
    """Reads x y z of a nuScenes sweep (.bin, five float32 a point) or of an .npz with `xyzi`; drops non-finite ones."""
    try:
        values = np.load(path)["xyzi"] if path.suffix == ".npz" else np.fromfile(path, "<f4").reshape(-1, 5)
    except (OSError, ValueError, KeyError) as err:
        raise DataError(f"{path}: expected float32 x y z intensity ring, or an npz with xyzi: {err!r}") from err
    points = values[:, :3].astype(np.float64)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def _pose(entry: Mapping[str, Any]) -> FloatArray:
    return np.array(entry.get("ego_to_global", np.eye(4)), dtype=np.float64)


def _stamp_ns(entry: Mapping[str, Any]) -> int:
    microseconds: float = entry.get("timestamp_us", 0)
    return round(microseconds) * 1000


def _yaw_pose(x: float, y: float, z: float, yaw: float) -> FloatArray:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:3, 3] = x, y, z
    return pose


def _box(label: str, box_to_ego: FloatArray, size: Any) -> LabelledBox:
    """Drops the small tilt of a box that comes from the sensor's own tilt."""
    x, y, z = (float(value) for value in box_to_ego[:3, 3])
    length, width, height = (float(value) for value in size)
    yaw = float(np.arctan2(box_to_ego[1, 0], box_to_ego[0, 0]))
    return LabelledBox(str(label), (x, y, z), (length, width, height), yaw)


def _scaled_intrinsics(image: RecordedImage, height: int, width: int) -> torch.Tensor:
    rows, columns = image.pixels.shape[:2]
    return scale_intrinsics(torch.from_numpy(image.intrinsics).float(), width / columns, height / rows)
