"""Where the surface points of one picture of a street are in another one."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.simulation.primitives import Primitives, travelled_s
from distillnerf_core.simulation.ray_bundles import RayBundles, cast_bundles
from distillnerf_core.simulation.renderer import Geometry, cast_geometry
from distillnerf_core.simulation.scene import StreetScene
from distillnerf_core.simulation.tiles import cut_tiles

_TILE = 8
_SAME_SURFACE_M = 0.01
"""A surface is hidden where another one is nearer by more than this and a thousandth of its distance."""


@dataclass(frozen=True)
class OpticalFlow:
    """Motion of the points that a picture shows, from it to another picture.

    Attributes:
        flow_px: Target pixel minus source pixel (column, row) of the point at each source pixel's centre; NaN for the
            sky and for points that are not in front of the target camera.
        visible: Whether the point is inside the target picture and not hidden there.
        moving: Whether the point is on an object that moves at the time of the picture.
    """

    flow_px: Float[Tensor, "height width 2"]
    visible: Bool[Tensor, "height width"]
    moving: Bool[Tensor, "height width"]


def optical_flow(
    scene: StreetScene, source: CameraRig, source_seconds: float, target: CameraRig, target_seconds: float
) -> OpticalFlow:
    """Follows every point of one picture, objects moving meanwhile, to another.

    Args:
        scene: the street.
        source: rig of one camera, `camera_to_ego` being its pose in the world.
        source_seconds: time of its picture after the start of the scene.
        target: the other camera, alike; of any size, it may be another camera.
        target_seconds: time of the other picture.
    """
    rays = camera_rays(source)
    geometry = cast_geometry(scene, source_seconds, rays.origins_m[0, 0, 0], rays.directions[0])
    points = rays.origins_m[0] + geometry.distance_m[..., None] * rays.directions[0]
    moved = points + surface_motion(scene.primitives, geometry, source_seconds, target_seconds)
    moving = surface_velocity(scene.primitives, geometry, source_seconds).norm(dim=-1) > 0
    pixels, depth = _project(target, moved)
    there = geometry.distance_m.isfinite() & (depth > 1e-3)
    size = pixels.new_tensor((target.width, target.height))
    inside = there & (pixels >= 0).all(dim=-1) & (pixels < size).all(dim=-1)
    visible = inside & ~_hidden(scene, target, target_seconds, moved, inside)
    rows, columns = torch.meshgrid(*(torch.arange(n, device=depth.device) + 0.5 for n in depth.shape), indexing="ij")
    flow = torch.where(there[..., None], pixels - torch.stack((columns, rows), dim=-1), torch.nan)
    return OpticalFlow(flow, visible, moving)


def surface_velocity(primitives: Primitives, geometry: Geometry, seconds: float) -> Float[Tensor, "height width 3"]:
    """Returns how fast the surface of each pixel moves at a time, world frame; 0 for road and sky."""
    which = geometry.primitive.clamp(min=0)
    first, last = primitives.moving_s[which].unbind(-1)
    moves = (geometry.primitive >= 0) & (first <= seconds) & (seconds <= last)
    return primitives.velocity_m_s[which] * moves[..., None]


def surface_motion(
    primitives: Primitives, geometry: Geometry, start_seconds: float, end_seconds: float
) -> Float[Tensor, "height width 3"]:
    """Returns how far the surface of each pixel moves between two times, world frame, metres; 0 for road and sky."""
    which = geometry.primitive.clamp(min=0)
    moving_s = primitives.moving_s[which].double()
    travelled = travelled_s(moving_s, end_seconds) - travelled_s(moving_s, start_seconds)
    return primitives.velocity_m_s[which] * (travelled.float() * (geometry.primitive >= 0))[..., None]


def _project(
    camera: CameraRig, points_m: Float[Tensor, "height width 3"]
) -> tuple[Float[Tensor, "height width 2"], Float[Tensor, "height width"]]:
    """Returns pixels (column, row) and z-depths of world points."""
    camera_from_world = invert_rigid(camera.camera_to_ego[0])
    local = points_m @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    image = local @ camera.intrinsics[0].T
    return image[..., :2] / image[..., 2:], image[..., 2]


def _hidden(
    scene: StreetScene, camera: CameraRig, seconds: float, points_m: Tensor, wanted: Tensor
) -> Bool[Tensor, "height width"]:
    """Casts rays from a camera to points; tells which `wanted` points lie behind another surface."""
    origin, ahead = camera.camera_to_ego[0, :3, 3], camera.camera_to_ego[0, :3, 2]
    line = torch.where(wanted[..., None], points_m - origin, ahead)
    length = line.norm(dim=-1)
    tiles = cut_tiles(origin, line / length[..., None], _TILE)
    count = tiles.directions.shape[1]
    places, times = origin.expand(count, 3), torch.full((count,), seconds, device=origin.device)
    hits = cast_bundles(RayBundles(places, tiles.directions.permute(1, 2, 0), times), scene.primitives)
    nearer = tiles.untile(hits.distance_m) < length * 0.999 - _SAME_SURFACE_M
    return torch.logical_and(wanted, nearer)
