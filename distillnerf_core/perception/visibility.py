"""Which voxels the cameras look into: what is behind the first surface or outside all images is unknown."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.perception.results import SemanticOccupancy

_STRIDE = 2
"""Visibility is tested for blocks of this many voxels along each axis; depth is no sharper."""


def mark_unknown(
    occupancy: SemanticOccupancy, ray_distance_m: Float[Tensor, "cameras h w"], rig: CameraRig
) -> SemanticOccupancy:
    """Labels free voxels unknown where no camera looks into them.

    Args:
        occupancy: Occupancy whose empty voxels are all labelled free.
        ray_distance_m: Rendered distance along each pixel's unit ray; +inf for sky.
        rig: Cameras at the size of the distance images.
    """
    grid = occupancy.grid
    x, y, z = (-(-count // _STRIDE) for count in grid.size)
    blocks = VoxelGrid(grid.lower_m, grid.voxel_size_m * _STRIDE, (x, y, z))
    centers = blocks.centers_m(ray_distance_m.device).reshape(-1, 3)
    seen = seen_points(centers, ray_distance_m, rig, margin_m=blocks.voxel_size_m).view(blocks.size)
    for axis, count in enumerate(grid.size):
        seen = seen.repeat_interleave(_STRIDE, dim=axis).narrow(axis, 0, count)
    unknown = ~seen & (occupancy.labels == occupancy.classes.free)
    return replace(occupancy, labels=occupancy.labels.masked_fill(unknown, UNKNOWN))


def seen_points(
    points_m: Float[Tensor, "points 3"],
    ray_distance_m: Float[Tensor, "cameras h w"],
    rig: CameraRig,
    margin_m: float,
) -> Bool[Tensor, " points"]:
    """Says which points at least one camera sees.

    Args:
        points_m: Points in the ego frame, metres.
        ray_distance_m: Distance to the first surface at each pixel.
        rig: Cameras at the size of the distance images.
        margin_m: How far behind the surface a point still counts as seen, metres.
    """
    seen = torch.zeros(len(points_m), dtype=torch.bool, device=points_m.device)
    ego_to_camera = invert_rigid(rig.camera_to_ego)
    for camera in range(len(rig)):
        local = points_m @ ego_to_camera[camera, :3, :3].T + ego_to_camera[camera, :3, 3]
        pixels = local @ rig.intrinsics[camera].T
        depth = pixels[:, 2].clamp_min(1e-3)
        column, row = (pixels[:, :2] / depth[:, None]).floor().long().unbind(1)
        inside = (local[:, 2] > 0.1) & (column >= 0) & (column < rig.width) & (row >= 0) & (row < rig.height)
        surface = ray_distance_m[camera, row.clamp(0, rig.height - 1), column.clamp(0, rig.width - 1)]
        seen |= inside & (local.norm(dim=1) <= surface + margin_m)
    return seen
