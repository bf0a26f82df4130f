"""The LiDAR measures what the cameras see."""

import math

import pytest
import torch

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.simulation.lidar import LidarConfig, beam_directions, simulate_lidar
from distillnerf_core.simulation.rig import nuscenes_lidar_to_ego
from distillnerf_core.simulation.scene import sample_scene


def test_beams_cover_the_elevations() -> None:
    directions = beam_directions(LidarConfig(azimuth_steps=360))
    assert directions.shape == (32, 360, 3)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(32, 360))
    elevation = torch.asin(directions[:, 0, 2]) * 180 / math.pi
    assert abs(float(elevation[0]) + 30.67) < 1e-3 and abs(float(elevation[-1]) - 10.67) < 1e-3
    torch.testing.assert_close(directions[:, 0, 0], torch.zeros(32))


def test_points_lie_on_surfaces_of_their_class() -> None:
    scene = sample_scene(1)
    scan = simulate_lidar(scene, 500_000_000, LidarConfig(azimuth_steps=360))
    pose = (scene.path.pose(0.5) @ nuscenes_lidar_to_ego().double()).float()
    world = scan.points_m @ pose[:3, :3].T + pose[:3, 3]
    assert len(world) > 4000
    assert world[scan.labels == 11][:, 2].abs().max() < 1e-3
    assert world[:, 2].min() > -1e-3
    assert scan.points_m.norm(dim=1).max() <= 100.0
    assert set(scan.rings.tolist()) <= set(range(32))


def test_few_azimuths_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="azimuth_steps"):
        parse_config({"azimuth_steps": 12}, LidarConfig)
