"""The visible surface point of each pixel and what is known about it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distillnerf_core.simulation.primitives import Material, Primitives, Shape


@dataclass(frozen=True)
class Surfaces:
    """Surface points seen by a list of pixels.

    Attributes:
        primitive: Index of the primitive, -1 on the road plane.
        point_m: World frame, metres.
        normal: Unit outward normal, world frame.
        local_m: Point in the primitive's frame with z measured from its bottom; world point on the road.
        local_normal: Normal in the primitive's frame.
        footprint_m: Approximate width of the pixel on the surface.
        material: Value of `Material`.
        color: Base colour.
        accent: Second colour.
        texture: Texture parameters.
    """

    primitive: Int[Tensor, " points"]
    point_m: Float[Tensor, "points 3"]
    normal: Float[Tensor, "points 3"]
    local_m: Float[Tensor, "points 3"]
    local_normal: Float[Tensor, "points 3"]
    footprint_m: Float[Tensor, " points"]
    material: Int[Tensor, " points"]
    color: Float[Tensor, "points 3"]
    accent: Float[Tensor, "points 3"]
    texture: Float[Tensor, "points 4"]

    def select(self, index: Tensor) -> "Surfaces":
        """Returns the surface points at `index`."""
        return Surfaces(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def collect_surfaces(
    primitives: Primitives,
    primitive: Int[Tensor, " points"],
    point_m: Float[Tensor, "points 3"],
    direction: Float[Tensor, "points 3"],
    pixel_width_m: Float[Tensor, " points"],
) -> Surfaces:
    """Looks up the primitives of hits and computes normals and local coordinates.

    Args:
        primitives: all solids at the time of the picture.
        primitive: hit primitive, -1 for the road plane.
        point_m: hit points in the world frame, metres.
        direction: unit ray directions.
        pixel_width_m: width of a pixel at the hit, across the ray.
    """
    road = primitive < 0
    which = primitive.clamp(min=0)
    rotation = primitives.rotation[which]
    local = torch.einsum("nij,ni->nj", rotation, point_m - primitives.center_m[which])
    half, taper = primitives.half_size_m[which], primitives.taper[which]
    local_normal = _local_normal(primitives.shape[which], local, half, taper)
    local = torch.cat((local[:, :2], local[:, 2:] + half[:, 2:]), dim=1)
    up = local_normal.new_tensor((0.0, 0.0, 1.0))
    normal = torch.where(road[:, None], up, torch.einsum("nij,nj->ni", rotation, local_normal))
    slant = (normal * direction).sum(dim=1).abs().clamp(min=0.03)
    return Surfaces(
        primitive=primitive,
        point_m=point_m,
        normal=normal,
        local_m=torch.where(road[:, None], point_m, local),
        local_normal=torch.where(road[:, None], up, local_normal),
        footprint_m=pixel_width_m / slant.sqrt(),
        material=torch.where(road, int(Material.ROAD), primitives.material[which]),
        color=primitives.color[which],
        accent=primitives.accent[which],
        texture=primitives.texture[which],
    )


def _local_normal(
    shape: Int[Tensor, " points"],
    local: Float[Tensor, "points 3"],
    half: Float[Tensor, "points 3"],
    taper: Float[Tensor, " points"],
) -> Float[Tensor, "points 3"]:
    ratio = local / half
    face = torch.nn.functional.one_hot(ratio.abs().argmax(dim=1), 3) * torch.sign(ratio)
    round_out = ratio / half
    slope = half[:, 0] * (1.0 - taper) / (2.0 * half[:, 2])
    radial = local[:, :2].norm(dim=1)
    mantle = torch.stack((local[:, 0], local[:, 1], radial * slope), dim=1)
    cap = torch.zeros_like(local)
    cap[:, 2] = torch.sign(local[:, 2])
    on_cap = half[:, 2] - local[:, 2].abs() < 1e-3 * half[:, 2] + 1e-4
    frustum = torch.where(on_cap[:, None], cap, mantle)
    kind = shape[:, None]
    normal = torch.where(kind == Shape.BOX, face, torch.where(kind == Shape.ELLIPSOID, round_out, frustum))
    return torch.nn.functional.normalize(normal, dim=1)
