"""Voxels against volumes and against what rays hit."""

import math

import torch

from distillnerf_core.geometry.grids import OCC3D_GRID, VoxelGrid
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.occupancy import voxelise
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep

GREY = Look((0.5, 0.5, 0.5))
EGO = torch.eye(4, dtype=torch.float64)
CAR, ROAD = CLASS_NAMES.index("car"), CLASS_NAMES.index("driveable_surface")


def test_a_box_fills_exactly_the_voxels_it_overlaps() -> None:
    street = StreetBuilder()
    street.object("car", Pose(4.0, 2.0)).box((0, 0, 1.4), (2.0, 1.2, 0.7), GREY)
    occupancy = voxelise(street.build(), EGO, OCC3D_GRID)
    centers = OCC3D_GRID.centers_m()[occupancy == CAR]
    lower, upper = centers.amin(dim=0) - 0.2, centers.amax(dim=0) + 0.2
    torch.testing.assert_close(lower, torch.tensor([2.8, 1.2, 1.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(upper, torch.tensor([5.2, 2.8, 1.8]), atol=1e-4, rtol=0)


def test_a_sphere_has_its_volume() -> None:
    street = StreetBuilder()
    street.object("vegetation", Pose(0.0, 0.0)).ellipsoid((0, 0, 5.0), (6.0, 6.0, 6.0), GREY)
    grid = VoxelGrid((-5.0, -5.0, 0.4), 0.1, (100, 100, 96))
    count = int((voxelise(street.build(), EGO, grid) == CLASS_NAMES.index("vegetation")).sum())
    assert math.isclose(count * 0.1**3, 4 / 3 * math.pi * 3.05**3, rel_tol=0.03)


def test_thin_poles_are_not_lost() -> None:
    street = StreetBuilder()
    for place in range(20):
        street.object("manmade", Pose(3.0 + 0.03 * place, 2.0 * place - 19.9)).frustum((0, 0, 2.0), 0.03, 4.0, GREY)
    columns = (voxelise(street.build(), EGO, OCC3D_GRID) == CLASS_NAMES.index("manmade")).sum(dim=2)
    assert int((columns >= 10).any(dim=0).sum()) == 20


def test_road_everywhere_and_nothing_below() -> None:
    occupancy = voxelise(StreetBuilder().build(), EGO, OCC3D_GRID)
    assert (occupancy[:, :, 2] == ROAD).all()
    assert (occupancy[:, :, [0, 1, *range(3, 16)]] == FREE).all()


def test_the_vehicle_frame_counts() -> None:
    street = StreetBuilder()
    street.object("car", Pose(10.0, 0.0)).box((0, 0, 1.0), (1.0, 1.0, 1.0), GREY)
    turned = torch.eye(4, dtype=torch.float64)
    turned[:2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    turned[0, 3] = 4.0
    centers = OCC3D_GRID.centers_m()[voxelise(street.build(), turned, OCC3D_GRID) == CAR]
    torch.testing.assert_close(centers.mean(dim=0)[:2], torch.tensor([0.0, -6.0]), atol=0.05, rtol=0)


def test_small_things_win_over_ground() -> None:
    street = StreetBuilder()
    street.object("traffic_cone", Pose(5.1, 0.1)).frustum((0, 0, 0.1), 0.1, 0.15, GREY)
    street.object("sidewalk", Pose(5.0, 0.0)).box((0, 0, 0.0), (20.0, 20.0, 0.2), GREY)
    occupancy = voxelise(street.build(), EGO, OCC3D_GRID)
    index, _ = OCC3D_GRID.indices(torch.tensor([[5.1, 0.1, 0.1], [8.1, 0.1, 0.1]]))
    labels = [CLASS_NAMES[int(occupancy[tuple(place)])] for place in index.tolist()]
    assert labels == ["traffic_cone", "sidewalk"]


def test_ray_hits_lie_in_voxels_of_their_class() -> None:
    scene = sample_scene(5)
    frame = simulate_sweep(scene, 0, SimulationConfig(height=48, width=88, supersampling=1, shadows=False))
    rays = camera_rays(frame.frame.rig)
    near = frame.ray_distance_m < 40.0
    points = (rays.origins_m + frame.ray_distance_m[..., None] * rays.directions)[near]
    index, inside = OCC3D_GRID.indices(points)
    index, labels = index[inside], frame.labels[near][inside]
    occupied = frame.occupancy[tuple(index.T)] != FREE
    assert occupied.float().mean() > 0.99
    agrees = torch.zeros(len(labels), dtype=torch.bool)
    padded = torch.nn.functional.pad(frame.occupancy, (1, 1, 1, 1, 1, 1), value=FREE)
    for offset in torch.cartesian_prod(*[torch.arange(3)] * 3):
        agrees |= padded[tuple((index + offset).T)] == labels
    assert agrees.float().mean() > 0.99
