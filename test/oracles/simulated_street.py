"""Streets with nothing in them but what a test puts there, and the plainest way to find what a ray meets."""

import dataclasses

import torch
from torch import Tensor

from distillnerf_core.simulation.builder import StreetBuilder
from distillnerf_core.simulation.intersections import components
from distillnerf_core.simulation.primitives import Shape, bounding_half_size
from distillnerf_core.simulation.ray_casting import intersect
from distillnerf_core.simulation.rig import nuscenes_rig
from distillnerf_core.simulation.scene import StreetScene, sample_scene


def street_of_boxes(street: StreetBuilder, speed_m_s: float = 0.0) -> StreetScene:
    """Returns a street whose vehicle starts at the origin and drives straight along +x."""
    base = sample_scene(0)
    path = dataclasses.replace(base.path, y=0.0, speed_m_s=speed_m_s, sway_m=0.0)
    return dataclasses.replace(base, primitives=street.build(), path=path)


def nearest_surface(
    scene: StreetScene, seconds: float, origin: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Tries every primitive on every ray [rays 3]; returns distance, label (17 for nothing) and instance."""
    solids = scene.primitives.at_time(seconds)
    start = torch.einsum("nij,ni->nj", solids.rotation, origin - solids.center_m)[:, None]
    rays = torch.einsum("nij,ri->nrj", solids.rotation, directions)
    found = torch.full(rays.shape[:2], torch.inf)
    for kind in Shape:
        of = solids.shape == kind
        half = components(solids.half_size_m[of, None], 2)
        found[of] = intersect(kind, components(start[of], 2), components(rays[of], 2), half, solids.taper[of, None])
    distance, which = found.min(dim=0)
    road = torch.where(directions[:, 2] < 0, -origin[2] / directions[:, 2], torch.inf)
    on_road = (road < distance) & (road < 300.0)
    distance = torch.where(on_road, road, distance)
    label = torch.where(on_road, 11, torch.where(distance.isfinite(), solids.label[which], 17))
    return distance, label, torch.where(on_road | distance.isinf(), 0, solids.instance[which])


def vehicle_body() -> torch.Tensor:
    """Returns points [n 3] of the vehicle and its cameras in its own frame, float64."""
    length = torch.linspace(-0.8, 3.7, 8, dtype=torch.float64)
    width = torch.linspace(-0.8, 0.8, 3, dtype=torch.float64)
    body = torch.cartesian_prod(length, width, torch.tensor([0.4, 1.5], dtype=torch.float64))
    return torch.cat((body, nuscenes_rig().camera_to_ego[:, :3, 3].double()))


def touches(scene: StreetScene, body: torch.Tensor, seconds: float) -> bool:
    """Tells whether a point of a body [n 3] in the vehicle's frame is inside the box around a solid."""
    pose = scene.path.pose(seconds)
    points = (body @ pose[:3, :3].T + pose[:3, 3]).float()
    solids = scene.primitives.at_time(seconds)
    local = torch.einsum("nij,pni->pnj", solids.rotation, points[:, None] - solids.center_m)
    return bool((local.abs() <= bounding_half_size(solids)).all(dim=2).any())
