"""Sweeps: times, motion between the exposures, and agreement of their parts."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.language.classes import SKY
from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.rig import nuscenes_rig
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, render_camera, simulate_sweep

TINY = SimulationConfig(height=27, width=48, supersampling=1)


@pytest.fixture(scope="module")
def scene() -> StreetScene:
    return next(scene for seed in range(20) if (scene := sample_scene(seed)).path.speed_m_s > 6)


def test_shapes_and_ranges(scene: StreetScene) -> None:
    frame = simulate_sweep(scene, 1_000_000_000, TINY)
    assert frame.frame.images.shape == (6, 3, 27, 48)
    assert float(frame.frame.images.min()) >= 0.0 and float(frame.frame.images.max()) <= 1.0
    assert torch.equal(frame.ray_distance_m.isinf(), frame.labels == SKY)
    assert (frame.ray_distance_m > 0.1).all()
    assert frame.instances is not None and (frame.instances[frame.labels == SKY] == 0).all()
    assert frame.frame.images.std() > 0.05


def test_stamps_are_the_firing_times_of_the_rig(scene: StreetScene) -> None:
    frame = simulate_sweep(scene, 5_000_000_000, TINY).frame
    offsets = [stamp - 5_000_000_000 for stamp in frame.camera_stamps_ns]
    assert offsets == [0, 7_600_000, 15_500_000, 23_000_000, 32_700_000, 42_600_000]
    assert frame.stamp_ns == frame.camera_stamps_ns[1] and frame.rig.names[1] == "CAM_FRONT"


def test_extrinsics_hold_the_motion_of_the_vehicle(scene: StreetScene) -> None:
    frame = simulate_sweep(scene, 0, TINY).frame
    mounted = nuscenes_rig(27, 48).camera_to_ego
    torch.testing.assert_close(frame.rig.camera_to_ego[1], mounted[1], atol=1e-5, rtol=0)
    shift = frame.rig.camera_to_ego[5, 0, 3] - mounted[5, 0, 3]
    assert abs(float(shift) - scene.path.speed_m_s * 0.035) < 0.01


def test_images_see_the_street_from_where_the_camera_is(scene: StreetScene) -> None:
    """Static surfaces that one camera sees are confirmed by rays from the motion-compensated rig."""
    frame = simulate_sweep(scene, 0, TINY)
    rays = camera_rays(frame.frame.rig)
    hit = frame.ray_distance_m[5]
    points = rays.origins_m[5] + hit[..., None] * rays.directions[5]
    to_world = scene.path.pose(frame.frame.stamp_ns * 1e-9).float()
    in_world = points @ to_world[:3, :3].T + to_world[:3, 3]
    road = frame.labels[5] == 11
    assert road.any() and in_world[..., 2][road].abs().max() < 1e-3


def test_agents_move_between_sweeps() -> None:
    street = StreetBuilder()
    street.object("car", Pose(12.0, 0.0, speed_m_s=5.0)).box((0, 0, 1.0), (2.0, 2.0, 2.0), Look((0.5, 0.5, 0.5)))
    base = sample_scene(0)
    path = dataclasses.replace(base.path, y=0.0, speed_m_s=0.0, sway_m=0.0)
    scene = dataclasses.replace(base, primitives=street.build(), path=path)
    front = [render_camera(scene, 1, stamp, TINY)[1].distance_m[13, 24] for stamp in (0, 1_000_000_000)]
    assert abs(float(front[1] - front[0]) - 5.0) < 0.02
    assert abs(float(front[0]) - (12.0 - 1.0 - 1.7)) < 0.05


def test_supersampling_changes_colours_only(scene: StreetScene) -> None:
    fine = SimulationConfig(height=27, width=48, supersampling=2)
    image, geometry = render_camera(scene, 0, 0, TINY)
    smooth, same = render_camera(scene, 0, 0, fine)
    torch.testing.assert_close(geometry.distance_m, same.distance_m)
    assert torch.equal(geometry.labels, same.labels) and image.shape == smooth.shape
    assert (image - smooth).abs().mean() < 0.1


def test_boxes_throw_shadows() -> None:
    street = StreetBuilder()
    street.object("manmade", Pose(8.0, 0.0)).box((0, 0, 6.0), (6.0, 6.0, 1.0), Look((0.5, 0.5, 0.5)))
    base = sample_scene(0)
    light = dataclasses.replace(base.light, sun_direction=(0.0, 0.0, 1.0), sun=(0.8, 0.8, 0.8))
    path = dataclasses.replace(base.path, y=0.0, sway_m=0.0)
    scene = dataclasses.replace(base, primitives=street.build(), light=light, path=path)
    lit, geometry = render_camera(scene, 1, 0, TINY.model_copy(update={"shadows": False}))
    shaded, _ = render_camera(scene, 1, 0, TINY)
    change = (shaded - lit).mean(dim=0)
    rays = camera_rays(nuscenes_rig(27, 48))
    points = rays.origins_m[1] + geometry.distance_m[..., None] * rays.directions[1]
    below = (geometry.labels == 11) & ((points[..., 0] - 8.0).abs() < 2.5) & (points[..., 1].abs() < 2.5)
    outside = (geometry.labels == 11) & ((points[..., 0] - 8.0).abs() > 3.5)
    assert below.any() and (change[below] < -0.02).all()
    assert change[outside].abs().max() < 1e-6


def test_the_rig_is_that_of_the_real_vehicle(shared_dir: Path) -> None:
    calibration = json.loads((shared_dir / "data/nuscenes_sample/calib.json").read_text())["cameras"]
    rig = nuscenes_rig()
    for index, name in enumerate(rig.names):
        real = torch.tensor(calibration[name]["cam_to_ego"])
        turn = (invert_rigid(rig.camera_to_ego[index]) @ real)[:3, :3]
        assert torch.arccos(((turn.trace() - 1) / 2).clamp(max=1.0)) < 1e-3
        torch.testing.assert_close(rig.camera_to_ego[index, :3, 3], real[:3, 3], atol=1e-3, rtol=0)
        torch.testing.assert_close(rig.intrinsics[index], torch.tensor(calibration[name]["K"]), atol=0.1, rtol=0)
