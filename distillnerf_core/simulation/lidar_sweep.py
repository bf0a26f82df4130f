"""A LiDAR that turns, and is carried along, while the street moves."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distillnerf_core.language.classes import FREE
from distillnerf_core.simulation.lidar import LidarConfig, beam_directions
from distillnerf_core.simulation.ray_bundles import RayBundles, cast_bundles
from distillnerf_core.simulation.rig import nuscenes_lidar_to_ego
from distillnerf_core.simulation.scene import StreetScene


@dataclass(frozen=True)
class LidarSweep:
    """Returns of one revolution in the order of time, each from the sensor's own place.

    Attributes:
        points_m: Points in the world frame, float64.
        origins_m: Place of the sensor when it measured each point, world frame, float64.
        stamps_ns: Time of each point.
        rings: Beam of each point, from 0 for the lowest.
        labels: Occ3D class of each point.
        instances: Object of each point, 0 for the road.
    """

    points_m: Float[Tensor, "points 3"]
    origins_m: Float[Tensor, "points 3"]
    stamps_ns: Int[Tensor, " points"]
    rings: Int[Tensor, " points"]
    labels: Int[Tensor, " points"]
    instances: Int[Tensor, " points"]


def sweep_lidar(scene: StreetScene, end_ns: int, period_ns: int, config: LidarConfig | None = None) -> LidarSweep:
    """Casts one revolution; all beams of an azimuth fire at once, the last azimuth at its end.

    Args:
        scene: the street.
        end_ns: time of the end of the revolution after the start of the scene.
        period_ns: duration of the revolution.
        config: the beams.
    """
    config = config or LidarConfig()
    device = scene.primitives.center_m.device
    left = torch.arange(config.azimuth_steps - 1, -1, -1)
    stamps = end_ns - torch.div(left * period_ns, config.azimuth_steps, rounding_mode="floor")
    vehicle = torch.stack([scene.path.pose(stamp * 1e-9) for stamp in stamps.tolist()])
    pose = vehicle @ nuscenes_lidar_to_ego().double()
    directions = torch.einsum("aij,baj->abi", pose[:, :3, :3], beam_directions(config).double())
    origins = pose[:, :3, 3]
    bundles = RayBundles(
        origins.float().to(device), directions.float().to(device), (stamps.double() * 1e-9).float().to(device)
    )
    hits = cast_bundles(bundles, scene.primitives)
    distance = hits.distance_m.double().cpu()
    azimuth, ring = (distance <= config.range_m).nonzero(as_tuple=True)
    reach = distance[azimuth, ring, None] * directions[azimuth, ring]
    return LidarSweep(
        points_m=origins[azimuth] + reach,
        origins_m=origins[azimuth],
        stamps_ns=stamps[azimuth],
        rings=ring,
        labels=hits.labels(scene.primitives, FREE).cpu()[azimuth, ring],
        instances=hits.instances(scene.primitives).cpu()[azimuth, ring],
    )
