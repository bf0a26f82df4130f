"""Tiles and culling change nothing about what rays meet."""

import math

import pytest
import torch

from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.simulation.intersections import components
from distillnerf_core.simulation.lidar import LidarConfig, beam_directions
from distillnerf_core.simulation.primitives import Primitives, Shape
from distillnerf_core.simulation.ray_casting import cast_tiles, intersect
from distillnerf_core.simulation.rig import nuscenes_lidar_to_ego, nuscenes_rig
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.tiles import cut_tiles


def _brute_force(primitives: Primitives, origin: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Every primitive against every ray."""
    best = torch.full((directions.shape[0],), torch.inf)
    for kind in Shape:
        solids = primitives.select(primitives.shape == kind)
        if len(solids):
            local = torch.einsum("nij,ri->jnr", solids.rotation, directions)
            start = torch.einsum("nij,ni->jn", solids.rotation, origin - solids.center_m)[..., None]
            half = solids.half_size_m.T[..., None]
            found = intersect(
                kind, components(start, 0), components(local, 0), components(half, 0), solids.taper[:, None]
            )
            best = torch.minimum(best, found.amin(dim=0))
    return best


@pytest.mark.parametrize("seed", [0, 5])
def test_culling_equals_no_culling_in_cameras(seed: int) -> None:
    scene = sample_scene(seed)
    rig = nuscenes_rig(18, 32)
    pose = scene.path.pose(0.0).float()
    rays = camera_rays(rig)
    for camera in range(len(rig)):
        origin = (pose @ rig.camera_to_ego[camera])[:3, 3]
        directions = rays.directions[camera] @ pose[:3, :3].T
        hits = cast_tiles(cut_tiles(origin, directions, 8), scene.primitives)
        expected = _brute_force(scene.primitives, origin, directions.reshape(-1, 3))
        torch.testing.assert_close(hits.distance_m.flatten(), expected, rtol=1e-5, atol=1e-4)


def test_culling_equals_no_culling_around_the_lidar() -> None:
    scene = sample_scene(2)
    pose = (scene.path.pose(0.0) @ nuscenes_lidar_to_ego().double()).float()
    directions = beam_directions(LidarConfig(azimuth_steps=180)) @ pose[:3, :3].T
    hits = cast_tiles(cut_tiles(pose[:3, 3], directions, 8), scene.primitives)
    chosen = directions[::5, ::7]
    expected = _brute_force(scene.primitives, pose[:3, 3], chosen.reshape(-1, 3))
    torch.testing.assert_close(hits.distance_m[::5, ::7].flatten(), expected, rtol=1e-5, atol=1e-4)


def test_the_primitive_that_is_hit_is_reported() -> None:
    scene = sample_scene(1)
    rig = nuscenes_rig(18, 32)
    origin = (scene.path.pose(0.0).float() @ rig.camera_to_ego[1])[:3, 3]
    hits = cast_tiles(cut_tiles(origin, camera_rays(rig).directions[1], 8), scene.primitives)
    where = hits.primitive >= 0
    assert torch.equal(where, hits.distance_m.isfinite())
    row, column = where.nonzero()[0].tolist()
    alone = scene.primitives.select(hits.primitive[row, column][None])
    directions = camera_rays(rig).directions[1, row, column][None]
    assert math.isclose(
        _brute_force(alone, origin, directions).item(), hits.distance_m[row, column].item(), rel_tol=1e-5
    )


def test_tiles_pad_and_come_back() -> None:
    values = torch.nn.functional.normalize(torch.randn(11, 13, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    tiles = cut_tiles(torch.zeros(3), values, 4)
    assert tiles.grid == (3, 4)
    for axis in range(3):
        assert torch.equal(tiles.untile(tiles.directions[axis]), values[..., axis])


def test_no_primitives_means_no_hits() -> None:
    nothing = sample_scene(0).primitives.select(torch.zeros(0, dtype=torch.long))
    directions = camera_rays(nuscenes_rig(16, 16)).directions[0]
    assert cast_tiles(cut_tiles(torch.zeros(3), directions, 8), nothing).distance_m.isinf().all()
