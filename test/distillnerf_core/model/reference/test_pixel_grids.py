from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.model.reference.pixel_grids import lifting_rig, render_rig

HEIGHT, WIDTH = 36, 64


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> dict[str, Tensor]:
    with np.load(golden_dir / "geometry_lift.npz") as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive.files}


def test_lifted_points_are_the_published_ones(golden: dict[str, Tensor], golden_rig: CameraRig) -> None:
    rays = camera_rays(lifting_rig(golden_rig, 1600))
    rows, columns = int(golden["row_step"]), int(golden["col_step"])
    origins, directions = (value[:, ::rows, ::columns] for value in (rays.origins_m, rays.directions))
    points = origins[:, None] + golden["depths"][..., None] * directions[:, None]
    torch.testing.assert_close(points, golden["points"][0], rtol=1e-5, atol=5e-5)


def test_render_rays_are_the_published_ones(golden: dict[str, Tensor], golden_rig: CameraRig) -> None:
    rays = camera_rays(render_rig(golden_rig.resized(18, 32), (HEIGHT, WIDTH), 1600))
    torch.testing.assert_close(rays.directions, golden["world_rays"][0], rtol=1e-5, atol=1e-5)


def test_the_grids_agree_at_the_corners(golden_rig: CameraRig) -> None:
    lifted, rendered = (
        camera_rays(lifting_rig(golden_rig, 1600)),
        camera_rays(render_rig(golden_rig.resized(5, 9), (36, 64), 1600)),
    )
    for row in (0, -1):
        for column in (0, -1):
            torch.testing.assert_close(lifted.directions[:, row, column], rendered.directions[:, row, column])
