"""Pixel rays of a camera rig in the ego frame."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig


@dataclass(frozen=True)
class Rays:
    """One ray for each pixel.

    Attributes:
        origins_m: Camera centres in the ego frame, metres.
        directions: Unit directions in the ego frame.
    """

    origins_m: Float[Tensor, "cameras height width 3"]
    directions: Float[Tensor, "cameras height width 3"]

    def chunks(self, size: int) -> Iterator[tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]]:
        """Yields origins and directions of at most `size` rays at once, row-major over the pixels."""
        return zip(
            torch.split(self.origins_m.reshape(-1, 3), size),
            torch.split(self.directions.reshape(-1, 3), size),
            strict=True,
        )


def pixel_directions(rig: CameraRig) -> Float[Tensor, "cameras height width 3"]:
    """Returns K^-1 [u, v, 1] at every pixel centre, camera axes, z = 1."""
    device, dtype = rig.intrinsics.device, rig.intrinsics.dtype
    rows = torch.arange(rig.height, device=device, dtype=dtype) + 0.5
    columns = torch.arange(rig.width, device=device, dtype=dtype) + 0.5
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack((u, v, torch.ones_like(u)), dim=-1)
    return torch.einsum("nij,hwj->nhwi", torch.linalg.inv(rig.intrinsics), pixels)


def camera_rays(rig: CameraRig) -> Rays:
    """Returns the rays through all pixel centres, in the ego frame."""
    in_camera = torch.nn.functional.normalize(pixel_directions(rig), dim=-1)
    directions = torch.einsum("nij,nhwj->nhwi", rig.camera_to_ego[:, :3, :3], in_camera)
    origins = rig.camera_to_ego[:, None, None, :3, 3].expand_as(directions)
    return Rays(origins, directions)


def ray_distance_to_z_depth(
    ray_distance_m: Float[Tensor, "cameras height width"], rig: CameraRig
) -> Float[Tensor, "cameras height width"]:
    """Converts distance along unit rays to depth along the optical axis, metres."""
    length: Tensor = torch.linalg.vector_norm(pixel_directions(rig), dim=-1)
    return ray_distance_m / length
