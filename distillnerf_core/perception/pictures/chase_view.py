"""The occupied voxels as cubes, seen from behind and above the vehicle."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.perception.pictures.colors import BACKGROUND, Image

_SUN = np.array([0.35, 0.55, 0.76])
_CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.int64)
_FACES: tuple[tuple[tuple[int, int, int], tuple[int, int, int, int]], ...] = (
    ((-1, 0, 0), (0, 1, 3, 2)),
    ((1, 0, 0), (4, 5, 7, 6)),
    ((0, -1, 0), (0, 1, 5, 4)),
    ((0, 1, 0), (2, 3, 7, 6)),
    ((0, 0, -1), (0, 2, 6, 4)),
    ((0, 0, 1), (1, 3, 7, 5)),
)
"""Outward normal of each face of a cube, and its corners in order."""


@dataclass(frozen=True)
class ChaseCamera:
    """A virtual pinhole camera.

    Attributes:
        eye_m: Position in the ego frame, metres.
        target_m: Point in the middle of the picture.
        focal: Focal length as a share of the picture's height.
    """

    eye_m: tuple[float, float, float] = (-22.0, 0.0, 15.0)
    target_m: tuple[float, float, float] = (10.0, 0.0, 0.0)
    focal: float = 1.15

    def project(
        self, points_m: NDArray[np.float64], width: int, height: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns pixel coordinates [points 2] and depths [points] of points in the ego frame, metres."""
        forward = np.subtract(self.target_m, self.eye_m)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        local = (points_m - self.eye_m) @ np.stack((right, np.cross(forward, right), forward)).T
        depth = local[:, 2]
        scaled = local[:, :2] * (self.focal * height) / np.maximum(depth, 1e-3)[:, None]
        return scaled + np.array((width / 2, height / 2)), depth


def chase_view(
    grid: VoxelGrid,
    index: NDArray[np.int64],
    colors: Image,
    size: tuple[int, int],
    camera: ChaseCamera = ChaseCamera(),
) -> Image:
    """Draws cubes from far to near; faces between two cubes and faces turned away are left out.

    Args:
        grid: The grid.
        index: Occupied voxels, [voxels 3].
        colors: RGB of each of them, [voxels 3].
        size: Height and width of the picture in pixels.
        camera: Where it is seen from.
    """
    height, width = size
    picture = np.full((2 * height, 2 * width, 3), BACKGROUND, dtype=np.uint8)
    taken = np.zeros([count + 2 for count in grid.size], dtype=bool)
    taken[tuple((index + 1).T)] = True
    lower = np.asarray(grid.lower_m)
    polygons, depths, paints = [], [], []
    for normal, corners in _FACES:
        shown = _visible_faces(index, np.asarray(normal), taken, grid, camera)
        points = lower + grid.voxel_size_m * (index[shown][:, None] + _CORNERS[list(corners)])
        pixels, depth = camera.project(points.reshape(-1, 3), 2 * width, 2 * height)
        polygons.append(pixels.reshape(-1, 4, 2))
        depths.append(depth.reshape(-1, 4))
        light = 0.55 + 0.45 * max(0.0, float(np.dot(normal, _SUN)))
        paints.append(colors[shown] * light)
    _paint(picture, np.concatenate(polygons), np.concatenate(depths), np.concatenate(paints))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _visible_faces(
    index: NDArray[np.int64],
    normal: NDArray[np.int64],
    taken: NDArray[np.bool_],
    grid: VoxelGrid,
    camera: ChaseCamera,
) -> NDArray[np.bool_]:
    faces_m = np.asarray(grid.lower_m) + grid.voxel_size_m * (index + 0.5 + 0.5 * normal)
    towards_eye = (np.asarray(camera.eye_m) - faces_m) @ normal > 0
    open_side: NDArray[np.bool_] = ~taken[tuple((index + 1 + normal).T)]
    return open_side & towards_eye


def _paint(
    picture: Image,
    polygons: NDArray[np.float64],
    depths: NDArray[np.float64],
    paints: NDArray[np.float64],
) -> None:
    """Fills the quadrilaterals in front of the camera, far ones first and slightly faded into the background."""
    front = depths.min(axis=1) > 0.5
    polygons, depth, paints = polygons[front], depths[front].mean(axis=1), paints[front]
    haze = np.clip((depth - 30.0) / 90.0, 0.0, 0.5)[:, None]
    shades = (paints * (1 - haze) + np.asarray(BACKGROUND) * haze).astype(int).tolist()
    corners = np.round(polygons).clip(-8_000, 8_000).astype(np.int32)
    for face in np.argsort(-depth):
        cv2.fillConvexPoly(picture, corners[face], shades[face])
