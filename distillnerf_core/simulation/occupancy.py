"""Semantic occupancy of a street: which voxels hold matter, and of which class."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.geometry.transforms import invert_rigid, transform_points
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.simulation.intersections import Components
from distillnerf_core.simulation.primitives import Primitives, Shape, bounding_half_size
from distillnerf_core.simulation.renderer import ROAD_LABEL

_SAMPLES = (2, 2, 3)
"""Sample points in a voxel along x, y and z."""
_MARGIN = (0.25, 0.25, 1.0 / 6.0)
"""Distance from the outermost sample points to the voxel's faces, as a share of the voxel."""
_PRIORITY = (
    "manmade",
    "vegetation",
    "barrier",
    "trailer",
    "truck",
    "bus",
    "construction_vehicle",
    "car",
    "motorcycle",
    "bicycle",
    "traffic_cone",
    "pedestrian",
)
"""Where solids share a voxel the later class wins; any of them wins over flat ground."""


def voxelise(primitives: Primitives, ego_to_world: Float[Tensor, "4 4"], grid: VoxelGrid) -> UInt8[Tensor, "x y z"]:
    """Computes the class of each voxel; 17 where it is free.

    A voxel belongs to a solid that overlaps it (tested at sample points against the solid enlarged by the distance
    from these points to the voxel's faces); solids are full inside. Voxels that the ground surface passes hold the
    class of the ground. Below the road there is free space.

    Args:
        primitives: solids at the time of the frame, world frame.
        ego_to_world: pose of the vehicle.
        grid: voxels in the ego frame.
    """
    world_to_ego = invert_rigid(ego_to_world.float()).to(primitives.center_m.device)
    center = transform_points(world_to_ego, primitives.center_m)
    rotation = world_to_ego[:3, :3] @ primitives.rotation
    margin = center.new_tensor(_MARGIN) * grid.voxel_size_m
    half = bounding_half_size(primitives) + margin
    reach = (rotation * half[:, None, :]).abs().sum(dim=2)
    lower, upper = center.new_tensor(grid.lower_m), center.new_tensor(grid.upper_m)
    inside = ((center + reach > lower) & (center - reach < upper)).all(dim=1)
    occupancy = torch.full(grid.size, FREE, dtype=torch.uint8, device=center.device)
    _fill_road(occupancy, grid)
    rank = _ranks(primitives.label)
    chosen = inside.nonzero()[:, 0]
    chosen = chosen[rank[chosen].argsort(stable=True)]
    first = ((center - reach)[chosen] - lower) / grid.voxel_size_m
    last = ((center + reach)[chosen] - lower) / grid.voxel_size_m
    ranges = torch.cat((first.floor(), last.floor() + 1), dim=1).long().tolist()
    samples = _sample_axes(grid, center.device)
    for index, bounds in zip(chosen.tolist(), ranges, strict=True):
        region = _region(bounds, grid)
        local = _to_local(samples, region, center[index], rotation[index])
        enlarged, taper = primitives.half_size_m[index] + margin, primitives.taper[index]
        block = occupancy[region]
        hit = _any_sample(_contains(int(primitives.shape[index]), local, enlarged, taper), block.shape)
        block[hit] = int(primitives.label[index])
    return occupancy


def _ranks(label: Tensor) -> Tensor:
    rank = torch.zeros(len(CLASS_NAMES), dtype=torch.long, device=label.device)
    for place, name in enumerate(_PRIORITY):
        rank[CLASS_NAMES.index(name)] = place + 1
    return rank[label]


def _fill_road(occupancy: Tensor, grid: VoxelGrid) -> None:
    layer = int(-grid.lower_m[2] / grid.voxel_size_m)
    if 0 <= layer < grid.size[2]:
        occupancy[:, :, layer] = ROAD_LABEL


def _region(bounds: list[int], grid: VoxelGrid) -> tuple[slice, slice, slice]:
    x, y, z = (
        slice(max(0, low), min(size, high)) for low, high, size in zip(bounds[:3], bounds[3:], grid.size, strict=True)
    )
    return x, y, z


def _sample_axes(grid: VoxelGrid, device: torch.device) -> list[Tensor]:
    """Returns the coordinates of all sample points along x, y and z, metres."""
    axes = []
    for size, count, low in zip(grid.size, _SAMPLES, grid.lower_m, strict=True):
        place = (torch.arange(size * count, device=device) + 0.5) / count
        axes.append(low + grid.voxel_size_m * place)
    return axes


def _to_local(
    samples: list[Tensor],
    region: tuple[slice, slice, slice],
    center: Float[Tensor, " 3"],
    rotation: Float[Tensor, "3 3"],
) -> Components:
    """Returns the sample points of a region in the frame of a solid, as three arrays [x, y, z]."""
    x, y, z = (
        axis[part.start * count : part.stop * count] - middle
        for axis, part, count, middle in zip(samples, region, _SAMPLES, center, strict=True)
    )
    a, b, c = ((x[:, None, None] * r[0] + y[:, None] * r[1]) + z * r[2] for r in rotation.T)
    return a, b, c


def _any_sample(inside: Bool[Tensor, "sx sy sz"], size: torch.Size) -> Bool[Tensor, "x y z"]:
    """Tells which voxels have a sample point inside."""
    parts = inside.reshape(size[0], _SAMPLES[0], size[1], _SAMPLES[1], size[2], _SAMPLES[2])
    return parts.any(dim=5).any(dim=3).any(dim=1)


def _contains(
    shape: int, local: Components, half: Float[Tensor, " 3"], taper: Float[Tensor, ""]
) -> Bool[Tensor, "sx sy sz"]:
    (x, y, z), (a, b, c) = local, half.unbind(0)
    if shape == Shape.BOX:
        return (x.abs() <= a) & (y.abs() <= b) & (z.abs() <= c)
    if shape == Shape.ELLIPSOID:
        return (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1.0
    radius = a * (1.0 + (taper - 1.0) * (z / c + 1.0) / 2.0)
    return (x * x + y * y <= radius * radius) & (z.abs() <= c)
