"""Other views are what the vehicle itself sees there and then, and lie where they say in the frame of the glance."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.other_views import OtherName, simulate_others
from distillnerf_core.simulation.simulator import SimulationConfig, reference_stamp_ns
from distillnerf_core.simulation.style import StreetStyle

SIZE = SimulationConfig(height=36, width=64, supersampling=1, shadows=False)
DRIVE = SimulatedDrive(
    SimulatedDriveConfig(seed=3, seconds=1.5, simulation=SIZE, style=StreetStyle(slowest_m_s=9, driving=1))
)
ROAD = CLASS_NAMES.index("driveable_surface")


@pytest.mark.parametrize(("name", "sweep"), [("next", 12), ("previous", 0)])
def test_views_of_another_time_are_the_images_of_the_drive_then(name: OtherName, sweep: int) -> None:
    others = simulate_others(DRIVE.scene, 500_000_000, name, SIZE)
    images = [image for image in DRIVE.images if image.sweep == sweep]
    world_to_ego = np.linalg.inv(DRIVE.ego_to_world(START_NS + reference_stamp_ns(500_000_000)))
    for camera, image in enumerate(images):
        truth = DRIVE.true_view(image)
        assert np.abs(others.images[camera].permute(1, 2, 0).numpy() * 255 - truth.pixels).max() < 0.51
        np.testing.assert_array_equal(others.ray_distance_m[camera], truth.ray_distance_m)
        np.testing.assert_array_equal(others.weight[camera] == 0, truth.moving)
        np.testing.assert_allclose(others.rig.camera_to_ego[camera], world_to_ego @ image.camera_to_world, atol=1e-5)


@pytest.mark.parametrize("name", ["next", "left", "right", "up"])
def test_the_road_that_other_views_see_is_flat_in_the_frame_of_the_glance(name: OtherName) -> None:
    others = simulate_others(DRIVE.scene, 0, name, SIZE)
    rays = camera_rays(others.rig)
    points = rays.origins_m + others.ray_distance_m[..., None] * rays.directions
    down = rays.directions[..., 2] < -0.1
    ahead = (others.ray_distance_m < 30) & down & (points[..., 2].abs() < 0.05)
    assert ahead.sum() > 1000
    below = others.ray_distance_m[down & others.ray_distance_m.isfinite()]
    assert below.numel() > 0 and points[others.ray_distance_m.isfinite()][:, 2].min() > -1e-3


def test_virtual_cameras_stand_a_metre_aside_along_their_own_axes() -> None:
    own = simulate_others(DRIVE.scene, 0, "left", SIZE).rig.camera_to_ego
    right = simulate_others(DRIVE.scene, 0, "right", SIZE).rig.camera_to_ego
    up = simulate_others(DRIVE.scene, 0, "up", SIZE).rig.camera_to_ego
    torch.testing.assert_close(right[:, :3, 3] - own[:, :3, 3], 2.0 * own[:, :3, 0], atol=1e-5, rtol=0)
    middle = 0.5 * (right + own)[:, :3, 3]
    torch.testing.assert_close(up[:, :3, 3] - middle, -own[:, :3, 1], atol=1e-5, rtol=0)


def test_a_camera_inside_a_solid_counts_nothing() -> None:
    left_of_front = simulate_others(DRIVE.scene, 0, "left", SIZE).rig.camera_to_ego[1, :3, 3].tolist()
    x, y, z = (torch.tensor([*left_of_front, 1.0]).double() @ DRIVE.scene.path.pose(0.04).T)[:3].tolist()
    street = StreetBuilder()
    street.object("truck", Pose(x, y, z)).box((0, 0, 0), (1.0, 0.6, 1.0), Look((0.5, 0.5, 0.5)))
    scene = replace(DRIVE.scene, primitives=street.build())
    assert simulate_others(scene, 0, "left", SIZE).weight.flatten(1).amax(dim=1).tolist() == [1, 0, 1, 1, 1, 1]
    assert simulate_others(scene, 0, "up", SIZE).weight.min() == 1
