"""A spinning LiDAR in a simulated street."""

import math
from dataclasses import dataclass

import pydantic
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from distillnerf_core.configuration import Config
from distillnerf_core.simulation.renderer import cast_geometry
from distillnerf_core.simulation.rig import nuscenes_lidar_to_ego
from distillnerf_core.simulation.scene import StreetScene


class LidarConfig(Config):
    """Beams of the LiDAR; the defaults are those of a Velodyne HDL-32E at 20 Hz.

    Attributes:
        beams: Number of beams.
        lowest_deg: Elevation of the lowest beam.
        highest_deg: Elevation of the highest beam.
        azimuth_steps: Shots of each beam in a revolution.
        range_m: Surfaces farther away give no return.
    """

    beams: int = pydantic.Field(default=32, ge=2)
    lowest_deg: float = pydantic.Field(default=-30.67, gt=-60, lt=60)
    highest_deg: float = pydantic.Field(default=10.67, gt=-60, lt=60)
    azimuth_steps: int = pydantic.Field(default=1084, ge=180)
    range_m: float = pydantic.Field(default=100.0, gt=0)


@dataclass(frozen=True)
class LidarScan:
    """Returns of one revolution, taken at one instant.

    Attributes:
        points_m: Points in the LiDAR frame (x right, y forward, z up), metres.
        rings: Beam of each point, from 0 for the lowest.
        labels: Occ3D class of each point.
        stamp_ns: Time of the scan.
    """

    points_m: Float[Tensor, "points 3"]
    rings: Int[Tensor, " points"]
    labels: UInt8[Tensor, " points"]
    stamp_ns: int


def beam_directions(config: LidarConfig) -> Float[Tensor, "beams azimuths 3"]:
    """Returns the unit directions of all shots in the LiDAR frame; azimuth runs clockwise from the front."""
    low, high = math.radians(config.lowest_deg), math.radians(config.highest_deg)
    elevation = torch.linspace(low, high, config.beams)[:, None]
    azimuth = (torch.arange(config.azimuth_steps) * (2 * math.pi / config.azimuth_steps))[None]
    flat = elevation.cos()
    return torch.stack((flat * azimuth.sin(), flat * azimuth.cos(), elevation.sin() + 0 * azimuth), dim=-1)


def simulate_lidar(scene: StreetScene, stamp_ns: int, config: LidarConfig | None = None) -> LidarScan:
    """Casts all beams of one revolution at one instant; `lidar_sweep` simulates the motion during it."""
    config = config or LidarConfig()
    device = scene.primitives.center_m.device
    seconds = stamp_ns * 1e-9
    pose = (scene.path.pose(seconds) @ nuscenes_lidar_to_ego().double()).float().to(device)
    local = beam_directions(config).to(device)
    geometry = cast_geometry(scene, seconds, pose[:3, 3], local @ pose[:3, :3].T)
    returned = geometry.distance_m <= config.range_m
    rings = torch.arange(config.beams, device=device)[:, None].expand_as(returned)
    points = local * geometry.distance_m[..., None]
    return LidarScan(points[returned], rings[returned], geometry.labels[returned], stamp_ns)
