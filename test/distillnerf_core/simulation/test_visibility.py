"""Observed space ends at surfaces."""

import torch

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.geometry.rays import camera_rays, pixel_directions
from distillnerf_core.simulation.visibility import visible_voxels

GRID = VoxelGrid((-8.0, -8.0, -4.0), 0.4, (40, 40, 20))


def _forward_camera() -> CameraRig:
    pose = torch.eye(4)
    pose[:3, :3] = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    intrinsics = torch.tensor([[[32.0, 0.0, 32.0], [0.0, 32.0, 32.0], [0.0, 0.0, 1.0]]])
    return CameraRig(("front",), intrinsics, pose[None], 64, 64)


def test_a_wall_hides_what_is_behind_it() -> None:
    rig = _forward_camera()
    distance = 5.0 * pixel_directions(rig).norm(dim=-1)
    visible = visible_voxels(rig, distance, GRID)
    centers = GRID.centers_m()
    in_view = (centers[..., 1].abs() < 0.9 * centers[..., 0]) & (centers[..., 2].abs() < 0.9 * centers[..., 0])
    assert visible[in_view & (centers[..., 0] < 4.9)].all()
    assert not visible[centers[..., 0] > 5.4].any()
    assert not visible[centers[..., 0] < 0.0].any()
    wall = in_view & ((centers[..., 0] - 5.0).abs() < 0.2)
    assert visible[wall].all()


def test_sky_is_seen_to_the_end_of_the_grid() -> None:
    rig = _forward_camera()
    visible = visible_voxels(rig, torch.full((1, 64, 64), torch.inf), GRID)
    centers = GRID.centers_m()
    in_view = (centers[..., 1].abs() < 0.95 * centers[..., 0]) & (centers[..., 2].abs() < 0.95 * centers[..., 0])
    assert visible[in_view].all()
    assert visible.sum() < in_view.sum() * 1.3


def test_every_hit_is_visible() -> None:
    rig = _forward_camera()
    distance = 2.0 + 5.0 * torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(1))
    rays = camera_rays(rig)
    index, inside = GRID.indices((rays.origins_m + distance[..., None] * rays.directions).reshape(-1, 3))
    assert visible_voxels(rig, distance, GRID)[tuple(index[inside].T)].all()
