"""A camera that is not there, to render a perceived frame with."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.cameras import CameraRig

_FOCAL_RANGE = (0.01, 100.0)
"""Sensible focal lengths, in widths of the image; beyond, single precision ends."""
_FARTHEST_M = 1e4


@dataclass(frozen=True)
class VirtualCamera:
    """A pinhole camera.

    Attributes:
        intrinsics: Pinhole matrix [3 3] in pixels of the image, pixel centres at integer + 0.5; skew is not used.
        camera_to_ego: Pose of the optical frame (x right, y down, z forward) in the ego frame [4 4], metres.
        height: Rows.
        width: Columns.
    """

    intrinsics: NDArray[np.float64]
    camera_to_ego: NDArray[np.float64]
    height: int
    width: int

    def rig(self) -> CameraRig:
        """Returns a rig of this camera alone."""
        return self._rig(1.0, self.height, self.width)

    def half_rig(self) -> CameraRig:
        """Returns the rig whose pixels are 2 x 2 of this camera's; an odd last row or column is half outside."""
        return self._rig(0.5, (self.height + 1) // 2, (self.width + 1) // 2)

    def check(self, max_pixels: int) -> None:
        """Refuses what cannot be rendered.

        Args:
            max_pixels: Largest image.

        Raises:
            QueryError: Saying which value is wrong, and what is expected.
        """
        if self.height < 1 or self.width < 1 or self.height * self.width > max_pixels:
            raise QueryError(
                f"an image of {self.width} x {self.height} pixels: expected 1 to {max_pixels} pixels "
                "(parameter render.max_pixels)"
            )
        self._check_intrinsics()
        if not np.isfinite(self.camera_to_ego).all() or np.abs(self.camera_to_ego[:3, 3]).max() > _FARTHEST_M:
            place = ", ".join(f"{value:g}" for value in self.camera_to_ego[:3, 3])
            raise QueryError(f"the camera is at ({place}) m: expected within {_FARTHEST_M:g} m of the base")

    def _check_intrinsics(self) -> None:
        (fx, _, cx), (_, fy, cy) = self.intrinsics[:2]
        for name, focal, size in (("K[0]", fx, self.width), ("K[4]", fy, self.height)):
            low, high = (share * size for share in _FOCAL_RANGE)
            if not (math.isfinite(focal) and low <= focal <= high):
                raise QueryError(f"{name} is {focal:g}: expected a focal length of {low:g} to {high:g} pixels")
        for name, center, size in (("K[2]", cx, self.width), ("K[5]", cy, self.height)):
            if not (math.isfinite(center) and abs(center) <= 10 * size):
                raise QueryError(f"{name} is {center:g}: expected an optical axis within {10 * size} pixels")

    def _rig(self, scale: float, height: int, width: int) -> CameraRig:
        matrix = np.eye(3)
        matrix[[0, 1], [0, 1]] = scale * self.intrinsics[[0, 1], [0, 1]]
        matrix[:2, 2] = scale * self.intrinsics[:2, 2]
        pose = torch.from_numpy(self.camera_to_ego).float()[None]
        return CameraRig(("view",), torch.from_numpy(matrix).float()[None], pose, height, width)
