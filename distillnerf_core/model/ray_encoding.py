"""What a pixel's calibration says before its colour is looked at."""

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays

RAY_CHANNELS = 5


def encode_rays(rig: CameraRig) -> Float[Tensor, "cameras 5 height width"]:
    """Describes each pixel's ray: where it would meet flat ground, and where it points.

    Channels: logarithmic closeness of the intersection with the plane z = 0 (0 above the horizon), vertical
    direction, direction relative to the optical axis in pixels of unit focal length (x, y), camera height
    in units of 2 m. The network so knows the depth of flat ground for any rig and learns what departs from it.
    """
    rays = camera_rays(rig)
    descent = (-rays.directions[..., 2]).clamp_min(1e-4)
    ground_m = rays.origins_m[..., 2].clamp_min(0.1) / descent
    closeness = torch.log(120.0 / ground_m.clamp(0.6, 120.0)) / 5.0
    in_camera = torch.einsum("nij,nhwi->nhwj", rig.camera_to_ego[:, :3, :3], rays.directions)
    tangent = in_camera[..., :2] / in_camera[..., 2:].clamp_min(1e-3)
    height = 0.5 * rays.origins_m[..., 2]
    stacked = (closeness, 4.0 * rays.directions[..., 2], tangent[..., 0], tangent[..., 1], height)
    return torch.stack(stacked, dim=1)
