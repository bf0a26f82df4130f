"""The sensor rig of a nuScenes vehicle: six cameras and one LiDAR (rounded numbers of a public calibration)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.simulation.builder import rotation_matrix

CAMERA_NAMES = (
    "CAM_FRONT_LEFT",
    "CAM_FRONT",
    "CAM_FRONT_RIGHT",
    "CAM_BACK_RIGHT",
    "CAM_BACK",
    "CAM_BACK_LEFT",
)
PHASES_MS = (0.0, 7.6, 15.5, 23.0, 32.7, 42.6)
"""Exposure of each camera after the start of a sweep."""
REFERENCE_CAMERA = CAMERA_NAMES.index("CAM_FRONT")
"""The camera whose exposure is the reference time of a frame."""
IMAGE_HEIGHT, IMAGE_WIDTH = 900, 1600
LIDAR_NAME = "LIDAR_TOP"


@dataclass(frozen=True)
class _Mount:
    focal: float
    principal: tuple[float, float]
    position: tuple[float, float, float]
    yaw_deg: float
    pitch_deg: float
    roll_deg: float


_MOUNTS = (
    _Mount(1272.6, (826.6, 479.8), (1.524, 0.495, 1.509), 55.16, -0.14, 0.12),
    _Mount(1266.4, (816.3, 491.5), (1.701, 0.016, 1.511), 0.33, 0.32, -0.05),
    _Mount(1260.8, (808.0, 495.3), (1.551, -0.493, 1.496), -56.40, 0.78, 0.52),
    _Mount(1259.5, (807.3, 501.2), (1.015, -0.481, 1.562), -110.79, 0.93, 0.62),
    _Mount(809.2, (829.2, 481.8), (0.028, 0.003, 1.579), 179.86, -0.96, 0.23),
    _Mount(1256.7, (792.1, 492.8), (1.036, 0.485, 1.591), 108.60, 0.92, -0.22),
)


def nuscenes_rig(height: int = IMAGE_HEIGHT, width: int = IMAGE_WIDTH) -> CameraRig:
    """Returns the six cameras at an image size (the whole 16:9 picture, resized)."""
    intrinsics = [[[m.focal, 0, m.principal[0]], [0, m.focal, m.principal[1]], [0, 0, 1]] for m in _MOUNTS]
    poses = torch.stack([_camera_to_ego(mount) for mount in _MOUNTS])
    full = CameraRig(CAMERA_NAMES, torch.tensor(intrinsics).float(), poses, IMAGE_HEIGHT, IMAGE_WIDTH)
    return full.resized(height, width)


def _camera_to_ego(mount: _Mount) -> Float[Tensor, "4 4"]:
    body = rotation_matrix(*(math.radians(angle) for angle in (mount.yaw_deg, mount.pitch_deg, mount.roll_deg)))
    body_from_camera = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    pose = torch.eye(4)
    pose[:3, :3] = torch.from_numpy(body).float() @ body_from_camera
    pose[:3, 3] = torch.tensor(mount.position)
    return pose


def nuscenes_lidar_to_ego() -> Float[Tensor, "4 4"]:
    """Returns the pose of LIDAR_TOP; its own axes are x right, y forward, z up."""
    pose = torch.eye(4)
    pose[:2, :2] = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    pose[:3, 3] = torch.tensor((0.944, 0.0, 1.840))
    return pose
