"""A rig of pinhole cameras that share one image size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import CalibrationError


def scale_intrinsics(
    intrinsics: Float[Tensor, "*batch 3 3"], scale_x: float, scale_y: float
) -> Float[Tensor, "*batch 3 3"]:
    """Adapts pinhole intrinsics to a resized image.

    Pixel centres lie at integer + 0.5, so a resize is a pure scaling of pixel coordinates.
    """
    factors = torch.tensor([[scale_x], [scale_y], [1.0]], dtype=intrinsics.dtype, device=intrinsics.device)
    return intrinsics * factors


@dataclass(frozen=True)
class CameraRig:
    """Calibration of several cameras at one image size.

    Attributes:
        names: Camera names, in the order of the tensors.
        intrinsics: Pinhole matrices in pixels of the image size, OpenCV axes, pixel centres at integer + 0.5.
        camera_to_ego: Poses, `p_ego = camera_to_ego @ p_camera`, metres; ego axes x forward, y left, z up.
        height: Image height in pixels.
        width: Image width in pixels.
    """

    names: tuple[str, ...]
    intrinsics: Float[Tensor, "cameras 3 3"]
    camera_to_ego: Float[Tensor, "cameras 4 4"]
    height: int
    width: int

    def __post_init__(self) -> None:
        count = len(self.names)
        if self.intrinsics.shape != (count, 3, 3) or self.camera_to_ego.shape != (count, 4, 4):
            raise CalibrationError(
                f"rig of {count} cameras: expected intrinsics ({count}, 3, 3) and camera_to_ego ({count}, 4, 4), "
                f"got {tuple(self.intrinsics.shape)} and {tuple(self.camera_to_ego.shape)}"
            )

    def __len__(self) -> int:
        """Returns the number of cameras."""
        return len(self.names)

    def resized(self, height: int, width: int) -> "CameraRig":
        """Returns the rig for images resized to (height, width)."""
        intrinsics = scale_intrinsics(self.intrinsics, width / self.width, height / self.height)
        return replace(self, intrinsics=intrinsics, height=height, width=width)

    def select(self, indices: Sequence[int]) -> "CameraRig":
        """Returns the rig of the cameras at the given positions."""
        keep = list(indices)
        return replace(
            self,
            names=tuple(self.names[index] for index in keep),
            intrinsics=self.intrinsics[keep],
            camera_to_ego=self.camera_to_ego[keep],
        )

    def to(self, device: torch.device | str) -> "CameraRig":
        """Returns the rig with its tensors on a device."""
        return replace(self, intrinsics=self.intrinsics.to(device), camera_to_ego=self.camera_to_ego.to(device))
