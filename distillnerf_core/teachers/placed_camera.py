"""A pinhole camera somewhere in the world, at the size of a view."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveImage, FloatArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PlacedCamera:
    """A pinhole camera in the world frame.

    Attributes:
        intrinsics: Pinhole matrix [3 3], pixel centres at integer + 0.5.
        camera_to_world: Pose [4 4], metres, OpenCV camera axes.
        height: Rows.
        width: Columns.
    """

    intrinsics: FloatArray
    camera_to_world: FloatArray
    height: int
    width: int

    @classmethod
    def of(cls, image: DriveImage, height: int, width: int) -> "PlacedCamera":
        """Returns the camera of an image that is resized to (height, width)."""
        scales = np.array([[width / image.width], [height / image.height], [1.0]])
        return cls(image.intrinsics * scales, image.camera_to_world, height, width)

    def moved(self, offset_m: tuple[float, float, float]) -> "PlacedCamera":
        """Returns the camera displaced along its own axes (section 9.1), metres."""
        pose = self.camera_to_world.copy()
        pose[:3, 3] += pose[:3, :3] @ np.asarray(offset_m)
        return replace(self, camera_to_world=pose)

    def unit_rays(self) -> Floats:
        """Returns the unit directions [height width 3] through all pixel centres, world frame."""
        u, v = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        pixels = np.stack((u, v, np.ones_like(u)), axis=-1)
        rays = pixels @ (self.camera_to_world[:3, :3] @ np.linalg.inv(self.intrinsics)).T
        return np.asarray(rays / np.linalg.norm(rays, axis=-1, keepdims=True), dtype=np.float32)

    def points(self, ray_distance_m: Floats) -> FloatArray:
        """Returns the points [height width 3] at distances [height width] along the unit rays, world frame, metres."""
        return np.asarray(self.camera_to_world[:3, 3] + self.unit_rays() * ray_distance_m[..., None].astype(np.float64))

    def project(self, points_m: NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
        """Projects points [n 3] of the world frame.

        Returns:
            Columns [n] and rows [n] in pixels, and depth [n] along the optical axis, metres; columns and rows mean
            nothing where the depth is not positive.
        """
        rotation = self.intrinsics @ self.camera_to_world[:3, :3].T
        moved = (points_m - self.camera_to_world[:3, 3]).astype(np.float32) @ rotation.T.astype(np.float32)
        depth = moved[:, 2]
        safe = np.where(depth > 1e-6, depth, np.float32(1.0))
        return moved[:, 0] / safe, moved[:, 1] / safe, depth
