"""Recorded frames: what a folder in the neutral layout holds, in one frame of reference."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.data.neutral_layout import (
    BoxEntry,
    FloatArray,
    FrameEntry,
    SensorEntry,
    read_boxes,
    read_layout,
    read_points,
)
from distillnerf_core.data.recordings import LabelledBox, LidarSweep
from distillnerf_core.errors import DataError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig, scale_intrinsics


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
        self._layout = read_layout(folder)
        self.cameras: tuple[str, ...] = tuple(self._layout.cameras)
        self.reference = reference or ("CAM_FRONT" if "CAM_FRONT" in self.cameras else self.cameras[0])
        if self.reference not in self.cameras:
            raise DataError(f"{folder}: no camera {self.reference!r}; there are {', '.join(self.cameras)}")

    def __len__(self) -> int:
        """Returns the number of frames."""
        return len(self._layout.frames)

    def __getitem__(self, index: int) -> RecordedFrame:
        """Reads a frame.

        Raises:
            DataError: If a file that calib.json names is missing or damaged.
            IndexError: If there is no such frame.
        """
        entry = self._layout.frames[index]
        if self.reference not in entry.cameras:
            raise DataError(f"{self.folder}: frame {index} lacks the reference camera {self.reference}")
        images = tuple(self._image(name, sensor) for name, sensor in entry.cameras.items())
        reference = next(image for image in images if image.camera == self.reference)
        return RecordedFrame(
            stamp_ns=reference.stamp_ns,
            images=images,
            reference_to_global=reference.ego_to_global,
            motion_compensated=all(sensor.ego_to_global is not None for sensor in entry.cameras.values()),
            lidar=self._lidar(entry, reference.ego_to_global),
            boxes=tuple(self._boxes(entry, reference.ego_to_global)),
        )

    def _image(self, name: str, sensor: SensorEntry) -> RecordedImage:
        pixels = cv2.imread(str(sensor.path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise DataError(f"cannot read image {sensor.path}; calib.json names it")
        return RecordedImage(
            camera=name,
            pixels=pixels[..., ::-1].copy(),
            intrinsics=self._layout.cameras[name].intrinsics,
            camera_to_ego=self._layout.cameras[name].camera_to_ego,
            ego_to_global=np.eye(4) if sensor.ego_to_global is None else sensor.ego_to_global,
            stamp_ns=sensor.stamp_ns or 0,
        )

    def _lidar(self, entry: FrameEntry, reference_to_global: FloatArray) -> LidarSweep | None:
        lidar_to_reference = self._lidar_to_reference(entry, reference_to_global)
        if entry.lidar is None or lidar_to_reference is None:
            return None
        points = _finite_points(entry.lidar.path)
        moved = points @ lidar_to_reference[:3, :3].T + lidar_to_reference[:3, 3]
        x, y, z = (float(value) for value in lidar_to_reference[:3, 3])
        return LidarSweep(torch.from_numpy(moved).float(), entry.lidar.stamp_ns or 0, (x, y, z))

    def _lidar_to_reference(self, entry: FrameEntry, reference_to_global: FloatArray) -> FloatArray | None:
        if self._layout.lidar_to_ego is None:
            return None
        known = entry.lidar_ego_to_global
        ego_to_global = reference_to_global if known is None else known
        return np.asarray(np.linalg.inv(reference_to_global) @ ego_to_global @ self._layout.lidar_to_ego)

    def _boxes(self, entry: FrameEntry, reference_to_global: FloatArray) -> list[LabelledBox]:
        """Collects boxes from boxes_lidar.json (single frame), and the frame's own."""
        boxes = []
        lidar_to_reference = self._lidar_to_reference(entry, reference_to_global)
        if lidar_to_reference is not None:
            from_file = read_boxes(self.folder) if len(self) == 1 else ()
            boxes += [_upright(box, lidar_to_reference) for box in (*from_file, *entry.boxes_lidar)]
        global_to_reference = np.asarray(np.linalg.inv(reference_to_global), dtype=np.float64)
        return boxes + [_upright(box, global_to_reference) for box in entry.boxes_global]


def _finite_points(path: Path) -> FloatArray:
    points = read_points(path)[:, :3].astype(np.float64)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def _upright(box: BoxEntry, to_reference: FloatArray) -> LabelledBox:
    """Moves a box and drops its small tilt, which comes from the sensor's own tilt."""
    pose = to_reference @ box.pose
    x, y, z = (float(value) for value in pose[:3, 3])
    yaw = float(np.arctan2(pose[1, 0], pose[0, 0]))
    return LabelledBox(box.label, (x, y, z), box.size_lwh_m, yaw)


def _scaled_intrinsics(image: RecordedImage, height: int, width: int) -> torch.Tensor:
    rows, columns = image.pixels.shape[:2]
    return scale_intrinsics(torch.from_numpy(image.intrinsics).float(), width / columns, height / rows)
