"""Shadows that solids cast on each other in the light of the sun."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.simulation.intersections import components
from distillnerf_core.simulation.primitives import Primitives, Shape, bounding_half_size
from distillnerf_core.simulation.ray_casting import intersect, rotate_to_local
from distillnerf_core.simulation.tiles import compact


def in_shadow(
    points_m: Float[Tensor, "3 tiles rays"],
    wanted: Bool[Tensor, "tiles rays"],
    primitives: Primitives,
    sun_direction: Float[Tensor, " 3"],
) -> Bool[Tensor, "tiles rays"]:
    """Tells which points the sun cannot reach.

    Args:
        points_m: points slightly above surfaces, in bundles of neighbours, world frame, metres.
        wanted: points to look at; others are reported as lit.
        primitives: solids that cast shadows.
        sun_direction: unit vector towards the sun.
    """
    possible = _shadow_candidates(points_m, wanted, primitives, sun_direction)
    dark = torch.zeros_like(wanted)
    for kind in Shape:
        order, lists = compact(possible & (primitives.shape == kind))
        bundles, hidden = points_m[:, order], dark[order]
        for slot, active in enumerate((lists >= 0).sum(dim=0).tolist()):
            which = lists[:active, slot]
            rotation = primitives.rotation[which]
            offset = components(bundles[:, :active] - primitives.center_m[which].T[:, :, None], 0)
            ray = components(torch.einsum("nij,i->jn", rotation, sun_direction)[:, :, None], 0)
            half = components(primitives.half_size_m[which, :, None], 1)
            found = intersect(kind, rotate_to_local(rotation, offset), ray, half, primitives.taper[which, None])
            hidden[:active] |= found < torch.inf
        dark[order] = hidden
    return dark & wanted


def _shadow_candidates(
    points_m: Tensor, wanted: Tensor, primitives: Primitives, sun_direction: Tensor
) -> Bool[Tensor, "tiles primitives"]:
    """Compares bounding boxes in a frame whose third axis points to the sun."""
    side = torch.nn.functional.normalize(torch.linalg.cross(sun_direction, sun_direction.roll(1)), dim=0)
    frame = torch.stack((side, torch.linalg.cross(sun_direction, side), sun_direction))
    turned = torch.einsum("ij,jtr->itr", frame, points_m)
    low = torch.where(wanted, turned, torch.inf).amin(dim=2)
    high = torch.where(wanted, turned, -torch.inf).amax(dim=2)
    center = primitives.center_m @ frame.T
    axes = primitives.rotation * bounding_half_size(primitives)[:, None, :]
    reach = torch.einsum("ij,njk->nik", frame, axes).abs().sum(dim=2)
    top, bottom = (center + reach).T, (center - reach).T
    possible = top[2] >= low[2][:, None]
    for axis in (0, 1):
        possible &= (top[axis] >= low[axis][:, None]) & (bottom[axis] <= high[axis][:, None])
    return possible
