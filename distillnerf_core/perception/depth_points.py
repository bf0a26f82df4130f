"""What the cameras see as a point cloud: one point for each pixel with a depth."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import interpolate

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.rays import pixel_directions
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.perception.results import DepthImages, PerceptionResult


@dataclass(frozen=True)
class DepthPoints:
    """Points on the surfaces that the cameras see.

    Attributes:
        points_m: Position in the ego frame, metres.
        colors: RGB of the camera image, 0..255.
        labels: Class; unknown (255) where semantics were not computed.
        cameras: Index of the camera.
    """

    points_m: Float[ndarray, "points 3"]
    colors: UInt8[ndarray, "points 3"]
    labels: UInt8[ndarray, " points"]
    cameras: UInt8[ndarray, " points"]


def depth_points(result: PerceptionResult) -> DepthPoints:
    """Lifts every pixel with a finite depth into the ego frame.

    Raises:
        QueryError: If the frame was perceived without depth.
    """
    if result.depth is None:
        raise QueryError("the frame was perceived without depth images: ask for Output.DEPTH")
    depth = result.depth.z_depth_m
    solid = torch.isfinite(depth)
    labels = result.semantics if result.semantics is not None else torch.full_like(depth, UNKNOWN, dtype=torch.uint8)
    cameras = torch.arange(len(depth), device=depth.device).view(-1, 1, 1).expand_as(depth)
    return DepthPoints(
        points_m=lift_depth(result.depth)[solid].cpu().numpy(),
        colors=image_bytes(result, depth.shape[1], depth.shape[2])[solid.cpu().numpy()],
        labels=labels[solid].cpu().numpy(),
        cameras=cameras[solid].to(torch.uint8).cpu().numpy(),
    )


def lift_depth(depth: DepthImages) -> Float[Tensor, "cameras h w 3"]:
    """Returns the point of every pixel in the ego frame, metres; not finite where the depth is not."""
    in_camera = pixel_directions(depth.rig) * depth.z_depth_m[..., None]
    pose = depth.rig.camera_to_ego
    return torch.einsum("nij,nhwj->nhwi", pose[:, :3, :3], in_camera) + pose[:, None, None, :3, 3]


def image_bytes(result: PerceptionResult, height: int, width: int) -> UInt8[ndarray, "cameras h w 3"]:
    """Returns the camera images at a size, RGB 0..255."""
    images = interpolate(result.frame.images, (height, width), mode="bilinear", antialias=True, align_corners=False)
    pixels: UInt8[ndarray, "cameras h w 3"] = np.ascontiguousarray(
        (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    )
    return pixels
