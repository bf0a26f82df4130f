"""Sparse depth images from a LiDAR revolution, as targets of an evaluation or of training."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.data.drive import Drive, FloatArray
from distillnerf_core.data.drive_frames import sweep_images
from distillnerf_core.data.key_frames import lidar_stamp_ns
from distillnerf_core.errors import DataError

NEAREST_M, FARTHEST_M = 1.0, 80.0
"""Limits of z-depth."""
RANGE_XY_M, RANGE_Z_M = 80.0, 6.4
"""Half size of the box around the sensor whose points count."""


@dataclass(frozen=True)
class LidarDepth:
    """The nearest LiDAR point of each pixel, NaN where there is none.

    Attributes:
        z_depth_m: Its depth along the optical axis.
        ray_distance_m: Its distance from the camera centre.
        age_ns: Time from each camera's exposure to the revolution of the LiDAR, [cameras].
    """

    z_depth_m: Float[Tensor, "cameras height width"]
    ray_distance_m: Float[Tensor, "cameras height width"]
    age_ns: tuple[int, ...]


def sweep_lidar_depth(drive: Drive, sweep: int, height: int, width: int) -> LidarDepth:
    """Projects the LiDAR revolution of a sweep into its cameras (reference network, section 4.2).

    A single revolution, the nearest in time or, of key-frames of nuScenes, that of the sample; points within 80 m in x
    and y and 6.4 m in z of the sensor (in the axes of the ego frame);
    each camera where it was at its own exposure, each point where it was measured, so that what stands still is
    exact and what moves is off by its motion between the two. See :func:`project_depth` for the pixels.

    Args:
        drive: The drive.
        sweep: Number of the sweep.
        height: Rows of the depth images.
        width: Columns.

    Raises:
        DataError: If the drive has no LiDAR, or a file is missing or damaged.
    """
    index = nearest_scan(drive, lidar_stamp_ns(drive, sweep))
    scan = drive.read_scan(index)
    ego_from_world = np.linalg.inv(drive.ego_to_world(scan.stamp_ns))
    offset = np.abs((scan.points_m - scan.origins_m) @ ego_from_world[:3, :3].T)
    points = scan.points_m[(offset <= (RANGE_XY_M, RANGE_XY_M, RANGE_Z_M)).all(axis=1)]
    nothing = torch.full((height, width), torch.nan)
    z_depth, distance, ages = [], [], []
    for image in sweep_images(drive, sweep):
        pair = (nothing, nothing)
        if image is not None:
            size = (image.height, image.width)
            pair = project_depth(points, image.camera_to_world, image.intrinsics, size, (height, width))
        z_depth.append(pair[0])
        distance.append(pair[1])
        ages.append(0 if image is None else scan.stamp_ns - image.stamp_ns)
    return LidarDepth(torch.stack(z_depth), torch.stack(distance), tuple(ages))


def nearest_scan(drive: Drive, stamp_ns: int) -> int:
    """Returns the position of the LiDAR revolution nearest to a time.

    Raises:
        DataError: If the drive has none.
    """
    if not len(drive.scan_stamps_ns):
        raise DataError(f"{drive.name} has no LiDAR, which depth would be compared with; use a drive that has one")
    return int(np.argmin(np.abs(np.asarray(drive.scan_stamps_ns, dtype=np.int64) - stamp_ns)))


def project_depth(
    points_m: FloatArray,
    camera_to_world: FloatArray,
    intrinsics: FloatArray,
    size: tuple[int, int],
    target: tuple[int, int],
) -> tuple[Float[Tensor, "height width"], Float[Tensor, "height width"]]:
    """Keeps the point of least z-depth in each pixel, then in each block of pixels of the smaller image.

    Blocks have floor(size / target) pixels a side, as published; where they do not fill the image, its last rows
    and columns are left out and the result is resized by the nearest neighbour.

    Args:
        points_m: Points [n 3] in the world, metres; those from 1 to 80 m in z-depth count.
        camera_to_world: Pose [4 4] of the camera.
        intrinsics: Pinhole matrix [3 3] in pixels of the image, pixel centres at integer + 0.5.
        size: Height and width of the image.
        target: Height and width of the depth image, not larger.

    Returns:
        Z-depth and, of the same points, distance from the camera centre, NaN where there is none.

    Raises:
        DataError: If the depth image is larger than the image.
    """
    rows, columns = size[0] // target[0], size[1] // target[1]
    if not rows or not columns:
        raise DataError(f"images of {size[1]} x {size[0]} pixels are smaller than depth of {target[1]} x {target[0]}")
    camera_from_world = np.linalg.inv(camera_to_world)
    local = points_m @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    local = local[(local[:, 2] >= NEAREST_M) & (local[:, 2] < FARTHEST_M)]
    pixel = np.floor((local @ intrinsics.T)[:, :2] / local[:, 2:]).astype(np.int64)
    blocks = size[0] // rows, size[1] // columns
    block = pixel[:, ::-1] // (rows, columns)
    kept = (pixel >= 0).all(axis=1) & (block < blocks).all(axis=1)
    local, block = local[kept], block[kept]
    images = _nearest_of_blocks(local, block, blocks)
    resized = torch.nn.functional.interpolate(torch.from_numpy(images)[None], target, mode="nearest")[0]
    return resized[0], resized[1]


def _nearest_of_blocks(local_m: FloatArray, block: NDArray[np.int64], blocks: tuple[int, int]) -> NDArray[np.float32]:
    """Returns z-depth and distance [2 rows columns] of the point of least z-depth in each block, NaN without one."""
    order = np.argsort(-local_m[:, 2], kind="stable")  # the nearest is written last
    images = np.full((2, *blocks), np.nan, dtype=np.float32)
    row, column = block[order].T
    images[0, row, column] = local_m[order, 2]
    images[1, row, column] = np.linalg.norm(local_m[order], axis=1)
    return images
