"""Nearest surfaces on bundles of rays, each bundle with a place and a time of its own."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from distillnerf_core.simulation.intersections import components
from distillnerf_core.simulation.primitives import Primitives, Shape, bounding_half_size, travelled_s
from distillnerf_core.simulation.ray_casting import intersect, rotate_to_local
from distillnerf_core.simulation.renderer import ROAD_LABEL, ROAD_REACH_M
from distillnerf_core.simulation.tiles import compact

_NEARLY_ASIDE = 0.05
"""Cosine to a bundle's middle below which its rays are not bounded by planes."""


@dataclass(frozen=True)
class RayBundles:
    """Rays in bundles; the closer the rays of a bundle, the cheaper.

    Attributes:
        origins_m: Where the rays of each bundle start, world frame, metres.
        directions: Unit directions, world frame.
        seconds: Time of each bundle after the start of the scene.
    """

    origins_m: Float[Tensor, "bundles 3"]
    directions: Float[Tensor, "bundles rays 3"]
    seconds: Float[Tensor, " bundles"]


@dataclass(frozen=True)
class BundleHits:
    """What the rays meet.

    Attributes:
        distance_m: Distance along the unit ray, +inf where nothing is met.
        primitive: Index of the primitive; -1 on the road plane and where nothing is met.
    """

    distance_m: Float[Tensor, "bundles rays"]
    primitive: Int[Tensor, "bundles rays"]

    def labels(self, primitives: Primitives, nothing: int) -> Int[Tensor, "bundles rays"]:
        """Returns the Occ3D class that each ray meets, `nothing` where it meets none."""
        road = torch.where(self.distance_m.isfinite(), ROAD_LABEL, nothing)
        return torch.where(self.primitive >= 0, primitives.label[self.primitive.clamp(min=0)], road)

    def instances(self, primitives: Primitives) -> Int[Tensor, "bundles rays"]:
        """Returns the object that each ray meets, 0 for road and nothing."""
        return torch.where(self.primitive >= 0, primitives.instance[self.primitive.clamp(min=0)], 0)


def cast_bundles(bundles: RayBundles, primitives: Primitives) -> BundleHits:
    """Finds the nearest surface on each ray, of the solids where they are at the bundle's time or of the road plane.

    Args:
        bundles: the rays.
        primitives: the solids at time zero, with their velocities.
    """
    possible = bundle_candidates(bundles, primitives)
    shape = bundles.directions.shape[:2]
    distance = torch.full(shape, torch.inf, device=bundles.directions.device)
    index = torch.full(shape, -1, dtype=torch.long, device=distance.device)
    for kind in Shape:
        _cast_shape(kind, bundles, primitives, possible & (primitives.shape == kind), distance, index)
    down = bundles.directions[..., 2]
    road = torch.where(down < 0, -bundles.origins_m[:, 2:] / down, torch.inf)
    on_road = (road < distance) & (road < ROAD_REACH_M) & (road > 0)
    return BundleHits(torch.where(on_road, road, distance), torch.where(on_road, -1, index))


def bundle_candidates(bundles: RayBundles, primitives: Primitives) -> Bool[Tensor, "bundles primitives"]:
    """Tells which primitives may meet a ray of each bundle; never misses one, may name too many.

    All rays of a bundle lie between four planes through its origin; a primitive whose bounding box lies wholly outside
    one of them cannot be met.
    """
    planes, bounded = _bounding_planes(bundles.directions)
    axes = (primitives.rotation * bounding_half_size(primitives)[:, None, :]).permute(2, 1, 0)
    travelled = travelled_s(primitives.moving_s[None], bundles.seconds[:, None])
    possible = torch.ones(len(bundles.seconds), len(primitives), dtype=torch.bool, device=axes.device)
    for plane in planes:
        reach = (plane @ axes[0]).abs() + (plane @ axes[1]).abs() + (plane @ axes[2]).abs() + 1e-3
        place = plane @ primitives.center_m.T - (plane * bundles.origins_m).sum(dim=1, keepdim=True)
        moved = place + travelled * (plane @ primitives.velocity_m_s.T)
        possible &= moved + reach >= 0
    return possible | ~bounded[:, None]


def _bounding_planes(
    directions: Float[Tensor, "bundles rays 3"],
) -> tuple[Float[Tensor, "planes bundles 3"], Bool[Tensor, " bundles"]]:
    """Returns inward unit normals of planes through the origin, and which bundles are narrow enough to have them."""
    ahead = torch.nn.functional.normalize(directions.mean(dim=1), dim=1)
    upright = torch.zeros_like(ahead)
    upright[:, 2] = 1.0
    upright[ahead[:, 2].abs() > 0.9] = upright.new_tensor((1.0, 0.0, 0.0))
    side = torch.nn.functional.normalize(torch.linalg.cross(upright, ahead), dim=1)
    rise = torch.linalg.cross(ahead, side)
    depth = torch.einsum("bi,bri->br", ahead, directions)
    bounded = depth.amin(dim=1) > _NEARLY_ASIDE
    planes = [ahead]
    for axis in (side, rise):
        slope = torch.einsum("bi,bri->br", axis, directions) / depth.clamp(min=_NEARLY_ASIDE)
        planes.append(axis - slope.amin(dim=1, keepdim=True) * ahead)
        planes.append(slope.amax(dim=1, keepdim=True) * ahead - axis)
    return torch.nn.functional.normalize(torch.stack(planes), dim=-1), bounded


def _cast_shape(
    kind: Shape, bundles: RayBundles, primitives: Primitives, possible: Tensor, distance: Tensor, index: Tensor
) -> None:
    """Lowers `distance` and sets `index` in place where a primitive of one shape is nearer."""
    order, lists = compact(possible)
    directions, origins = bundles.directions[order].permute(2, 0, 1), bundles.origins_m[order]
    seconds, best, chosen = bundles.seconds[order], distance[order], index[order]
    for slot, active in enumerate((lists >= 0).sum(dim=0).tolist()):
        which = lists[:active, slot]
        rotation, half = primitives.rotation[which], components(primitives.half_size_m[which, :, None], 1)
        travelled = travelled_s(primitives.moving_s[which], seconds[:active])
        center = primitives.center_m[which] + travelled[:, None] * primitives.velocity_m_s[which]
        local = torch.einsum("nij,ni->nj", rotation, origins[:active] - center)
        ray = rotate_to_local(rotation, components(directions[:, :active], 0))
        found = intersect(kind, components(local[..., None], 1), ray, half, primitives.taper[which, None])
        nearer = found < best[:active]
        best[:active] = torch.where(nearer, found, best[:active])
        chosen[:active] = torch.where(nearer, which[:, None], chosen[:active])
    distance[order] = best
    index[order] = chosen
