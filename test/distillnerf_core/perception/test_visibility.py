import math

import torch

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.language.classes import FREE, UNKNOWN
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy
from distillnerf_core.perception.visibility import mark_unknown, seen_points


def test_points_are_seen_in_front_of_the_surface_only(rig: CameraRig) -> None:
    front = rig.select([0])
    distance = torch.full((1, rig.height, rig.width), 10.0)
    points = torch.tensor(
        [[5.0, 0.0, 1.5], [9.9, 0.0, 1.5], [10.5, 0.0, 1.5], [12.0, 0.0, 1.5], [-5.0, 0.0, 1.5], [1.0, 5.0, 1.5]]
    )
    seen = seen_points(points, distance, front, margin_m=0.8)
    assert seen.tolist() == [True, True, True, False, False, False]


def test_rays_into_the_sky_see_everything_on_them(rig: CameraRig) -> None:
    distance = torch.full((1, rig.height, rig.width), math.inf)
    assert bool(seen_points(torch.tensor([[500.0, 3.0, 2.0]]), distance, rig.select([0]), margin_m=0.8)[0])


def test_projection_matches_the_pixel_convention(rig: CameraRig) -> None:
    distance = torch.zeros(1, rig.height, rig.width)
    distance[0, 15, 40] = math.inf  # the pixel whose area is u 40..41, v 15..16
    inside = torch.tensor([[10.0, -10 * (40.5 - 32) / 40, 1.5 - 10 * (15.5 - 16) / 40]])
    outside = torch.tensor([[10.0, -10 * (39.5 - 32) / 40, 1.5 - 10 * (15.5 - 16) / 40]])
    seen = seen_points(torch.cat((inside, outside)), distance, rig.select([0]), margin_m=0.1)
    assert seen.tolist() == [True, False]


def test_free_voxels_that_nobody_sees_become_unknown(rig: CameraRig) -> None:
    labels = torch.full(OCC3D_GRID.size, FREE, dtype=torch.uint8)
    labels[0, 0, 0] = 4
    zeros = torch.zeros(OCC3D_GRID.size)
    occupied = OccupiedVoxels((labels < FREE).nonzero(), torch.ones(1, 3))
    occupancy = SemanticOccupancy(OCC3D_GRID, labels, zeros, zeros, occupied)
    distance = torch.full((1, rig.height, rig.width), 10.0)
    marked = mark_unknown(occupancy, distance, rig.select([0])).labels
    ahead, behind_surface, behind_vehicle = (int(marked[i, 100, 6]) for i in (115, 140, 50))
    assert (ahead, behind_surface, behind_vehicle) == (FREE, UNKNOWN, UNKNOWN)
    assert int(marked[0, 0, 0]) == 4
    assert set(marked.flatten().tolist()) == {4, FREE, UNKNOWN}
