"""Pictures of a street with exact distance, class and object of every pixel."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from distillnerf_core.language.classes import CLASS_NAMES, SKY
from distillnerf_core.simulation.materials import TEXTURES
from distillnerf_core.simulation.primitives import Primitives
from distillnerf_core.simulation.ray_casting import cast_tiles
from distillnerf_core.simulation.road import road_albedo
from distillnerf_core.simulation.scene import StreetScene
from distillnerf_core.simulation.shadows import in_shadow
from distillnerf_core.simulation.sky import add_haze, sky_color
from distillnerf_core.simulation.surfaces import Surfaces, collect_surfaces
from distillnerf_core.simulation.tiles import Tiles, cut_tiles
from distillnerf_core.simulation.wet_road import wet_color

ROAD_LABEL = CLASS_NAMES.index("driveable_surface")
FLAT_LABELS = tuple(CLASS_NAMES.index(name) for name in ("driveable_surface", "other_flat", "sidewalk", "terrain"))
ROAD_REACH_M = 300.0
"""Beyond this distance the road plane is sky."""
SHADOW_REACH_M = 60.0
"""Surfaces farther from the camera are not shadowed."""
TILE = 8


@dataclass(frozen=True)
class Geometry:
    """What rays from one point meet.

    Attributes:
        distance_m: Distance along unit rays, +inf for sky.
        labels: Occ3D class, 17 for sky.
        instances: Object number from 1; 0 for road and sky.
        primitive: Index of the primitive; -1 on the road plane and for sky.
    """

    distance_m: Float[Tensor, "height width"]
    labels: UInt8[Tensor, "height width"]
    instances: Int[Tensor, "height width"]
    primitive: Int[Tensor, "height width"]


def cast_geometry(
    scene: StreetScene,
    seconds: float,
    origin_m: Float[Tensor, " 3"],
    directions: Float[Tensor, "height width 3"],
) -> Geometry:
    """Casts an image of unit rays from one point against the solids and the road plane z = 0.

    Args:
        scene: the street.
        seconds: time after the start of the scene.
        origin_m: where the rays start, world frame.
        directions: unit ray of each pixel, world frame.
    """
    return _cast(scene.primitives.at_time(seconds), cut_tiles(origin_m, directions, TILE), directions)


def render_view(
    scene: StreetScene,
    seconds: float,
    origin_m: Float[Tensor, " 3"],
    directions: Float[Tensor, "height width 3"],
    shadows: bool = True,
) -> tuple[Float[Tensor, "3 height width"], Geometry]:
    """Renders one image.

    Args:
        scene: the street.
        seconds: time of the exposure after the start of the scene.
        origin_m: camera centre, world frame.
        directions: unit ray of each pixel, world frame.
        shadows: whether solids cast shadows (a third of the cost).

    Returns:
        RGB in [0, 1], and the exact geometry.
    """
    primitives = scene.primitives.at_time(seconds)
    tiles = cut_tiles(origin_m, directions, TILE)
    geometry = _cast(primitives, tiles, directions)
    color = _shade(scene, primitives, tiles, geometry, directions, shadows)
    if scene.wetness > 0:
        road = ((geometry.primitive < 0) & geometry.distance_m.isfinite()).flatten().nonzero()[:, 0]
        points = origin_m + geometry.distance_m.flatten()[road, None] * directions.reshape(-1, 3)[road]
        mirrored = _mirror(scene, primitives, origin_m, directions)[road]
        slope = -directions[..., 2].flatten()[road]
        color[road] = wet_color(color[road], mirrored, points, slope, scene.wetness)
    image = color.clamp(0.0, 1.0).T.reshape(3, *directions.shape[:2])
    return image.contiguous(), geometry


def _shade(
    scene: StreetScene, primitives: Primitives, tiles: Tiles, geometry: Geometry, directions: Tensor, shadows: bool
) -> Float[Tensor, "points 3"]:
    """Returns the colour of each ray, row by row."""
    flat, distance = directions.reshape(-1, 3), geometry.distance_m.flatten()
    color = sky_color(scene.light, flat)
    seen = distance.isfinite().nonzero()[:, 0]
    surfaces = _surfaces(primitives, geometry, tiles.origin_m, directions, seen)
    sunlight = (surfaces.normal @ flat.new_tensor(scene.light.sun_direction)).clamp(min=0.0)
    if shadows:
        facing = (sunlight > 0) & (distance[seen] < SHADOW_REACH_M)
        sunlight = sunlight * ~_shadowed(scene, primitives, tiles, surfaces, seen, facing)
    lit = _albedo(scene, surfaces) * _irradiance(scene, surfaces.normal, sunlight)
    color[seen] = add_haze(scene.light, lit, distance[seen])
    return color


def _mirror(
    scene: StreetScene, primitives: Primitives, origin_m: Tensor, directions: Tensor
) -> Float[Tensor, "points 3"]:
    """Returns what a mirror in the plane of the road shows: the view from below it, through it, without the ground."""
    flip = directions.new_tensor((1.0, 1.0, -1.0))
    solids = primitives.select(~torch.isin(primitives.label, primitives.label.new_tensor(FLAT_LABELS)))
    tiles, upward = cut_tiles(origin_m * flip, directions * flip, TILE), directions * flip
    return _shade(scene, solids, tiles, _cast(solids, tiles, upward), upward, shadows=False)


def _cast(primitives: Primitives, tiles: Tiles, directions: Tensor) -> Geometry:
    hits = cast_tiles(tiles, primitives)
    down = directions[..., 2]
    road = torch.where(down < 0, -tiles.origin_m[2] / down, torch.inf)
    on_road = (road < hits.distance_m) & (road < ROAD_REACH_M) & (road > 0)
    distance = torch.where(on_road, road, hits.distance_m)
    primitive = torch.where(on_road, -1, hits.primitive)
    solid, which = primitive >= 0, primitive.clamp(min=0)
    labels = torch.where(solid, primitives.label[which], torch.where(on_road, ROAD_LABEL, SKY))
    instances = torch.where(solid, primitives.instance[which], 0)
    return Geometry(distance, labels.to(torch.uint8), instances, primitive)


def _surfaces(
    primitives: Primitives, geometry: Geometry, origin_m: Tensor, directions: Tensor, seen: Tensor
) -> Surfaces:
    rays, distance = directions.reshape(-1, 3)[seen], geometry.distance_m.flatten()[seen]
    points = origin_m + distance[:, None] * rays
    middle = directions[directions.shape[0] // 2, directions.shape[1] // 2 - 1 :][:2]
    pixel = float((middle[0] - middle[-1]).norm())
    return collect_surfaces(primitives, geometry.primitive.flatten()[seen], points, rays, distance * pixel)


def _albedo(scene: StreetScene, surfaces: Surfaces) -> Float[Tensor, "points 3"]:
    albedo = torch.empty_like(surfaces.point_m)
    for material, texture in TEXTURES.items():
        chosen = (surfaces.material == material).nonzero()[:, 0]
        albedo[chosen] = texture(surfaces.select(chosen))
    road = (surfaces.primitive < 0).nonzero()[:, 0]
    albedo[road] = road_albedo(
        scene.layout, scene.road_tone, _plan(scene, surfaces.point_m[road]), surfaces.footprint_m[road]
    )
    return albedo


def _plan(scene: StreetScene, point_m: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Returns points on the plan of the street, which is straight."""
    if scene.path.bend is None:
        return point_m
    return torch.stack((*scene.path.bend.straighten(point_m[:, 0], point_m[:, 1]), point_m[:, 2]), dim=1)


def _irradiance(
    scene: StreetScene, normal: Float[Tensor, "points 3"], sunlight: Float[Tensor, " points"]
) -> Float[Tensor, "points 3"]:
    """Returns direct light plus light from the sky, which falls mostly on surfaces that look up."""
    direct = sunlight[:, None] * normal.new_tensor(scene.light.sun)
    sky = (0.72 + 0.28 * normal[:, 2:]) * normal.new_tensor(scene.light.ambient)
    return direct + sky


def _shadowed(
    scene: StreetScene, primitives: Primitives, tiles: Tiles, surfaces: Surfaces, seen: Tensor, facing: Tensor
) -> Tensor:
    """Casts rays to the sun, in the tiles of the picture; returns a mask over the surface points."""
    flat_labels = primitives.label.new_tensor(FLAT_LABELS)
    casters = primitives.select(~torch.isin(primitives.label, flat_labels))
    height, width = tiles.height, tiles.width
    lifted = torch.zeros(height * width, 3, device=seen.device)
    lifted[seen] = surfaces.point_m + 0.02 * surfaces.normal
    wanted = torch.zeros(height * width, dtype=torch.bool, device=seen.device)
    wanted[seen] = facing
    stacked = torch.cat((lifted, wanted[:, None].float()), dim=1).reshape(height, width, 4)
    bundles = cut_tiles(tiles.origin_m, stacked[..., :3], tiles.edge).directions
    mask = cut_tiles(tiles.origin_m, stacked[..., 3:].expand(-1, -1, 3), tiles.edge).directions[0] > 0.5
    sun = lifted.new_tensor(scene.light.sun_direction)
    return tiles.untile(in_shadow(bundles, mask, casters, sun)).flatten()[seen]
