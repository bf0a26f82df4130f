"""Streets with nothing in them but what a test puts there, and the plainest way to find what a ray meets."""

import dataclasses

import torch
from torch import Tensor

from distillnerf_core.simulation.builder import StreetBuilder
from distillnerf_core.simulation.intersections import components
from distillnerf_core.simulation.primitives import Shape
from distillnerf_core.simulation.ray_casting import intersect
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
