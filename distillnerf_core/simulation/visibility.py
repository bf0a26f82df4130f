"""Which voxels the cameras of a frame have seen."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.geometry.transforms import invert_rigid


def visible_voxels(
    rig: CameraRig, ray_distance_m: Float[Tensor, "cameras height width"], grid: VoxelGrid
) -> Bool[Tensor, "x y z"]:
    """Tells which voxels are observed: as a surface, or as free space in front of one.

    A voxel is observed where a pixel's ray ends in it, or where its centre lies in front of the surface of the pixel
    that it projects to.

    Args:
        rig: cameras in the ego frame at the frame's time.
        ray_distance_m: distance along unit rays, +inf for sky.
        grid: voxels in the ego frame.
    """
    centers = grid.centers_m(ray_distance_m.device).reshape(-1, 3)
    seen = torch.zeros(centers.shape[0], dtype=torch.bool, device=centers.device)
    for camera in range(len(rig)):
        seen |= _in_front(rig, camera, ray_distance_m[camera], centers)
    rays = camera_rays(rig)
    ends = rays.origins_m + ray_distance_m[..., None] * rays.directions
    index, inside = grid.indices(ends[ray_distance_m.isfinite()])
    x, y, z = index[inside].unbind(1)
    seen[(x * grid.size[1] + y) * grid.size[2] + z] = True
    return seen.reshape(grid.size)


def _in_front(
    rig: CameraRig, camera: int, distance_m: Float[Tensor, "height width"], centers: Float[Tensor, "voxels 3"]
) -> Bool[Tensor, " voxels"]:
    matrix = rig.intrinsics[camera] @ invert_rigid(rig.camera_to_ego[camera])[:3]
    column, row, depth = (matrix[:, :3] @ centers.T + matrix[:, 3:]).unbind(0)
    ahead = (depth > 0.1).nonzero()[:, 0]
    column, row = (column[ahead] / depth[ahead]).floor().long(), (row[ahead] / depth[ahead]).floor().long()
    inside = (column >= 0) & (column < rig.width) & (row >= 0) & (row < rig.height)
    chosen = ahead[inside]
    surface = distance_m[row[inside], column[inside]]
    seen = torch.zeros(centers.shape[0], dtype=torch.bool, device=centers.device)
    seen[chosen] = (centers[chosen] - rig.camera_to_ego[camera, :3, 3]).norm(dim=1) < surface
    return seen
