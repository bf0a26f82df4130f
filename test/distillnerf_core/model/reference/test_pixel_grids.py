from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig, scale_intrinsics
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.model.reference.pixel_grids import lifting_rig, render_rig

HEIGHT, WIDTH = 36, 64


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name in ("cameras_inputs", "geometry_lift"):
        with np.load(golden_dir / f"{name}.npz") as archive:
            tensors |= {key: torch.from_numpy(archive[key]) for key in archive.files}
    return tensors


@pytest.fixture(scope="module")
def rig(golden: dict[str, Tensor]) -> CameraRig:
    """The golden cameras in our convention: pixel centres at integer + 0.5, LiDAR frame as the ego frame."""
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[:, :3, :3], poses[:, :3, 3] = golden["rots"][0], golden["trans"][0]
    intrinsics = golden["intrins"][0].clone()
    intrinsics[:, :2, 2] += 0.5
    scaled = scale_intrinsics(intrinsics, WIDTH / 1600, HEIGHT / 900)
    return CameraRig(("first", "second"), scaled, poses, HEIGHT, WIDTH)


def test_lifted_points_are_the_published_ones(golden: dict[str, Tensor], rig: CameraRig) -> None:
    rays = camera_rays(lifting_rig(rig, 1600))
    rows, columns = int(golden["row_step"]), int(golden["col_step"])
    origins, directions = (value[:, ::rows, ::columns] for value in (rays.origins_m, rays.directions))
    points = origins[:, None] + golden["depths"][..., None] * directions[:, None]
    torch.testing.assert_close(points, golden["points"][0], rtol=1e-5, atol=5e-5)


def test_render_rays_are_the_published_ones(golden: dict[str, Tensor], rig: CameraRig) -> None:
    rays = camera_rays(render_rig(rig.resized(18, 32), (HEIGHT, WIDTH), 1600))
    torch.testing.assert_close(rays.directions, golden["world_rays"][0], rtol=1e-5, atol=1e-5)


def test_the_grids_agree_at_the_corners(rig: CameraRig) -> None:
    lifted, rendered = camera_rays(lifting_rig(rig, 1600)), camera_rays(render_rig(rig.resized(5, 9), (36, 64), 1600))
    for row in (0, -1):
        for column in (0, -1):
            torch.testing.assert_close(lifted.directions[:, row, column], rendered.directions[:, row, column])
