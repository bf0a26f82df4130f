import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import FREE
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy
from distillnerf_core.perception.surfaces import (
    Surface,
    density_surface,
    load_marching_cubes,
    voxel_faces,
    voxel_labels,
)

EDGE, THRESHOLD = 0.5, 2.0


def occupancy_of(density: Tensor) -> SemanticOccupancy:
    """Voxels denser than the threshold are occupied, with their x index as the class."""
    x, y, z = density.shape
    grid = VoxelGrid((-1.0, 2.0, 3.0), EDGE, (x, y, z))
    index = (density > THRESHOLD).nonzero()
    classes = torch.arange(x, dtype=torch.uint8)[:, None, None].expand(x, y, z)
    labels = torch.where(density > THRESHOLD, classes, FREE).to(torch.uint8)
    voxels = OccupiedVoxels(index, torch.zeros(len(index), 4))
    return SemanticOccupancy(grid, labels, density, 1 - torch.exp(-EDGE * density), voxels)


def volume(surface: Surface) -> float:
    """Volume by the divergence theorem; positive where triangles face outward."""
    a, b, c = surface.vertices_m[surface.triangles].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def assert_closed(surface: Surface) -> None:
    """Every edge is passed once in each direction for each pair of triangles that meet there."""
    places = np.unique(np.round(surface.vertices_m, 6), axis=0, return_inverse=True)[1].reshape(-1)
    edges: Counter[Any] = Counter()
    for triangle in places[surface.triangles]:
        for start, end in zip(triangle, np.roll(triangle, -1), strict=True):
            edges[int(start), int(end)] += 1
    assert all(edges[end, start] == count for (start, end), count in edges.items())


@pytest.mark.parametrize("seed", range(4))
def test_faces_enclose_the_volume_of_the_voxels(seed: int) -> None:
    density = 4.0 * torch.rand(5, 4, 3, generator=torch.Generator().manual_seed(seed))
    occupancy = occupancy_of(density)
    faces = voxel_faces(occupancy)
    count = len(occupancy.occupied.index)
    assert volume(faces) == pytest.approx(count * EDGE**3)
    assert_closed(faces)
    centers = occupancy.occupied.centers_m(occupancy.grid).numpy()[faces.voxels]
    np.testing.assert_allclose(np.abs(faces.vertices_m - centers), EDGE / 2, atol=1e-6)


def test_hidden_faces_are_left_out() -> None:
    block = voxel_faces(occupancy_of(torch.full((2, 3, 4), 9.0)))
    assert len(block.triangles) == 2 * 2 * (2 * 3 + 3 * 4 + 4 * 2)
    assert len(voxel_faces(occupancy_of(torch.zeros(2, 2, 2))).triangles) == 0


def test_the_density_surface_of_a_ball_is_that_ball() -> None:
    pytest.importorskip("skimage", reason="scikit-image (extra mesh) is not installed")
    radius_m, center = 2.3, np.array([2.0, 5.0, 6.0])
    grid = VoxelGrid((-1.0, 2.0, 3.0), EDGE, (12, 12, 12))
    distance = (grid.centers_m() - torch.tensor(center, dtype=torch.float32)).norm(dim=-1)
    opacity = (0.5 + 0.4 * (radius_m - distance)).clamp(0.01, 0.99)
    level = 1 - np.exp(-EDGE * THRESHOLD)
    surface = density_surface(occupancy_of(-torch.log(1 - opacity) / EDGE), THRESHOLD)
    expected_m = radius_m + (0.5 - level) / 0.4
    np.testing.assert_allclose(np.linalg.norm(surface.vertices_m - center, axis=1), expected_m, atol=0.06)
    assert volume(surface) == pytest.approx(4 / 3 * np.pi * expected_m**3, rel=0.05)
    assert_closed(surface)


def test_the_surface_is_closed_at_the_border_of_the_grid_and_knows_its_voxels() -> None:
    pytest.importorskip("skimage", reason="scikit-image (extra mesh) is not installed")
    occupancy = occupancy_of(torch.full((3, 3, 3), 50.0))
    surface = density_surface(occupancy, THRESHOLD)
    assert_closed(surface)
    assert volume(surface) > 0.5 * 27 * EDGE**3
    labels = voxel_labels(occupancy).numpy()[surface.voxels]
    lowest = surface.vertices_m[:, 0].argmin()
    highest = surface.vertices_m[:, 0].argmax()
    assert (labels[lowest], labels[highest]) == (0, 2)
    assert len(density_surface(occupancy_of(torch.zeros(2, 2, 2)), THRESHOLD).triangles) == 0


def test_the_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("skimage", "skimage.measure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"-m pip install scikit-image"):
        load_marching_cubes()
