"""Images for users, from rendered views: z-depth, classes, and placement among missing cameras."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import ray_distance_to_z_depth
from distillnerf_core.perception.config import DepthConfig


def open_distance(
    ray_distance_m: Float[Tensor, "cameras h w"], opacity: Float[Tensor, "cameras h w"], min_opacity: float
) -> Float[Tensor, "cameras h w"]:
    """Returns the distance along each ray, +inf where the ray is less opaque than `min_opacity`."""
    return ray_distance_m.masked_fill(opacity < min_opacity, torch.inf)


def z_depth_image(
    ray_distance_m: Float[Tensor, "cameras h w"], rig: CameraRig, config: DepthConfig
) -> Float[Tensor, "cameras h w"]:
    """Returns depth along the optical axis in metres, +inf beyond the range (REP-118)."""
    depth = ray_distance_to_z_depth(ray_distance_m, rig)
    return depth.masked_fill(depth > config.max_range_m, torch.inf)


def semantic_image(
    language: Float[Tensor, "cameras channels h w"],
    opacity: Float[Tensor, "cameras h w"],
    class_features: Float[Tensor, "classes channels"],
    min_opacity: float,
) -> UInt8[Tensor, "cameras h w"]:
    """Returns the class of each pixel by the greatest cosine; rays that pass through show the sky, the last class."""
    cosine = torch.einsum("nchw,kc->nkhw", normalize(language, dim=1), class_features)
    labels = cosine.argmax(dim=1).to(torch.uint8)
    return labels.masked_fill(opacity < min_opacity, len(class_features) - 1)


def scatter_cameras(images: Tensor, camera_mask: Tensor, fill: float | int) -> Tensor:
    """Places images of the present cameras among all cameras of a rig.

    Args:
        images: One image for each True of the mask, [present ...].
        camera_mask: True where a camera is present, [cameras].
        fill: Value of the images of missing cameras.

    Returns:
        One image for each camera, [cameras ...].
    """
    if bool(camera_mask.all()):
        return images
    full = images.new_full((len(camera_mask), *images.shape[1:]), fill)
    full[camera_mask] = images
    return full
