"""Occupancy as triangles: the outer faces of occupied voxels, and a smooth surface through the density."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.perception.results import SemanticOccupancy

_QUAD = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
"""Corners of a face, counter-clockwise in the plane of the two other axes."""
_CORNERS_TO_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


@dataclass(frozen=True)
class Surface:
    """Triangles in the ego frame.

    Attributes:
        vertices_m: Corners, metres.
        triangles: Indices of corners, counter-clockwise seen from outside.
        voxels: For each corner the position (in the list of occupied voxels) of the voxel that it belongs to.
    """

    vertices_m: Float[ndarray, "vertices 3"]
    triangles: Int[ndarray, "triangles 3"]
    voxels: Int[ndarray, " vertices"]


def voxel_faces(occupancy: SemanticOccupancy) -> Surface:
    """Returns the faces of occupied voxels that no other occupied voxel hides."""
    mask = occupancy.occupied_mask.cpu().numpy()
    index = occupancy.occupied.index.cpu().numpy()
    corners, owners = [], []
    for axis in range(3):
        for side in (0, 1):
            bare = _bare(mask, index, axis, 2 * side - 1)
            corners.append(_face_corners(index[bare], axis, side))
            owners.append(np.repeat(bare, 4))
    vertices = np.concatenate(corners)
    first = 4 * np.arange(len(vertices) // 4)[:, None, None]
    triangles = (first + _CORNERS_TO_TRIANGLES).reshape(-1, 3)
    lower = np.array(occupancy.grid.lower_m)
    return Surface(lower + vertices * occupancy.grid.voxel_size_m, triangles, np.concatenate(owners))


def density_surface(occupancy: SemanticOccupancy, density_threshold: float) -> Surface:
    """Returns the surface on which the density is the threshold, by marching cubes (Lorensen and Cline 1987).

    Densities are compared as opacities of a voxel, 1 - exp(-density * voxel size): between air and a wall whose density
    is large without a meaning, interpolated densities would put the surface into the air.

    Args:
        occupancy: Densities and occupied voxels.
        density_threshold: Density of the surface, 1/m.

    Raises:
        ConfigurationError: If scikit-image is missing.
    """
    from scipy.spatial import cKDTree

    edge = occupancy.grid.voxel_size_m
    opacity = np.pad(1.0 - np.exp(-edge * occupancy.density.double().cpu().numpy()), 1)
    level = 1.0 - float(np.exp(-edge * density_threshold))
    if not opacity.min() < level < opacity.max():
        nothing = np.zeros((0, 3))
        return Surface(nothing, nothing.astype(np.int64), np.zeros(0, dtype=np.int64))
    vertices, triangles, _, _ = load_marching_cubes()(opacity, level, gradient_direction="ascent")
    vertices_m = np.array(occupancy.grid.lower_m) + (vertices.astype(np.float64) - 0.5) * edge
    centers = occupancy.occupied.centers_m(occupancy.grid).cpu().numpy()
    _, nearest = cKDTree(centers).query(vertices_m)
    return Surface(vertices_m, triangles.astype(np.int64), nearest)


def load_marching_cubes() -> Any:
    """Returns scikit-image's function.

    Raises:
        ConfigurationError: If it is missing, with the command that installs it.
    """
    try:
        from skimage.measure import marching_cubes
    except ImportError as err:
        raise ConfigurationError(
            f"a mesh needs scikit-image, and {err.name} is missing: {sys.executable} -m pip install scikit-image"
        ) from err
    return marching_cubes


def voxel_labels(occupancy: SemanticOccupancy) -> Tensor:
    """Returns the label of each occupied voxel, in the order of the list of occupied voxels."""
    labels: Tensor = occupancy.labels[tuple(occupancy.occupied.index.unbind(dim=1))].to(torch.uint8)
    return labels


def _bare(mask: Bool[ndarray, "x y z"], index: Int[ndarray, "voxels 3"], axis: int, step: int) -> Any:
    neighbour = index.copy()
    neighbour[:, axis] += step
    inside = (neighbour[:, axis] >= 0) & (neighbour[:, axis] < mask.shape[axis])
    hidden = inside.copy()
    hidden[inside] = mask[tuple(neighbour[inside].T)]
    return np.flatnonzero(~hidden)


def _face_corners(index: Int[ndarray, "faces 3"], axis: int, side: int) -> Float[ndarray, "corners 3"]:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    corners = np.repeat(index.astype(np.float64)[:, None], 4, axis=1)
    outline = _QUAD if side else _QUAD[::-1]
    corners[..., axis] += side
    corners[..., first] += outline[:, 0]
    corners[..., second] += outline[:, 1]
    return corners.reshape(-1, 3)
