"""Nearest hits of rays with primitives, tile by tile."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distillnerf_core.simulation.intersections import (
    Components,
    box_distance,
    components,
    ellipsoid_distance,
    frustum_distance,
)
from distillnerf_core.simulation.primitives import Primitives, Shape
from distillnerf_core.simulation.tiles import Tiles, candidates, compact


@dataclass(frozen=True)
class Hits:
    """The nearest surface on each ray.

    Attributes:
        distance_m: Distance along the unit ray, +inf where nothing is met.
        primitive: Index of the primitive, -1 where nothing is met.
    """

    distance_m: Float[Tensor, "height width"]
    primitive: Int[Tensor, "height width"]


def cast_tiles(tiles: Tiles, primitives: Primitives) -> Hits:
    """Finds the nearest primitive on each ray of an image.

    Cost is about 40 elementwise operations for each ray and each candidate of its tile.
    """
    whole = _single_tile(tiles)
    near = candidates(whole, primitives)[0].nonzero()[:, 0] if whole is not None else None
    shown = primitives if near is None else primitives.select(near)
    shape = tiles.directions.shape[1:]
    distance = torch.full(shape, torch.inf, device=tiles.directions.device)
    index = torch.full(shape, -1, dtype=torch.long, device=tiles.directions.device)
    possible = candidates(tiles, shown)
    for kind in Shape:
        _cast_shape(kind, tiles, shown, possible & (shown.shape == kind), distance, index)
    if near is not None:
        index = torch.where(index >= 0, near[index.clamp(min=0)] if near.numel() else index, index)
    return Hits(tiles.untile(distance), tiles.untile(index))


def intersect(kind: Shape, origin: Components, direction: Components, half: Components, taper: Tensor) -> Tensor:
    """Returns ray parameters of the first crossing with primitives of one shape, in their local frames."""
    if kind == Shape.BOX:
        return box_distance(origin, direction, half)
    if kind == Shape.ELLIPSOID:
        return ellipsoid_distance(origin, direction, half)
    return frustum_distance(origin, direction, half, taper)


def rotate_to_local(rotation: Float[Tensor, "n 3 3"], vector: Components) -> Components:
    """Applies the transposed rotations to vectors [n, rays] given as components."""
    x, y, z = vector
    local = [
        rotation[:, 0, axis, None] * x + rotation[:, 1, axis, None] * y + rotation[:, 2, axis, None] * z
        for axis in range(3)
    ]
    return local[0], local[1], local[2]


def _cast_shape(
    kind: Shape, tiles: Tiles, primitives: Primitives, possible: Tensor, distance: Tensor, index: Tensor
) -> None:
    """Lowers `distance` and sets `index` in place where a primitive of one shape is nearer."""
    order, lists = compact(possible)
    directions = tiles.directions[:, order]
    best, chosen = distance[order], index[order]
    relative = tiles.origin_m - primitives.center_m
    local_origin = torch.einsum("nij,ni->nj", primitives.rotation, relative)
    for slot, active in enumerate((lists >= 0).sum(dim=0).tolist()):
        which = lists[:active, slot]
        ray = rotate_to_local(primitives.rotation[which], components(directions[:, :active], 0))
        origin = components(local_origin[which, :, None], 1)
        half = components(primitives.half_size_m[which, :, None], 1)
        found = intersect(kind, origin, ray, half, primitives.taper[which, None])
        nearer = found < best[:active]
        best[:active] = torch.where(nearer, found, best[:active])
        chosen[:active] = torch.where(nearer, which[:, None], chosen[:active])
    distance[order] = best
    index[order] = chosen


def _single_tile(tiles: Tiles) -> Tiles | None:
    """Returns the whole image as one tile where it spans less than a half space, else None."""
    rows, columns = tiles.grid
    image = tiles.directions.reshape(3, rows, columns, tiles.edge, tiles.edge)
    upper, lower = image[:, 0], image[:, -1]
    corners = torch.stack((upper[:, 0, 0, 0], upper[:, -1, 0, -1], lower[:, 0, -1, 0], lower[:, -1, -1, -1]), dim=1)
    middle = torch.nn.functional.normalize(corners.mean(dim=1), dim=0)
    if float(torch.einsum("i,itr->tr", middle, tiles.directions).min()) < 0.3:
        return None
    return Tiles(tiles.origin_m, corners[:, None], 2, 2, 2)
