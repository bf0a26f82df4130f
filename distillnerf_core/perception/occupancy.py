"""Semantic occupancy on a metric grid, read from a scene field."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.text_space import TextSpace
from distillnerf_core.model.compositing import density_from_logit
from distillnerf_core.perception.classes import SemanticClasses, checkpoint_classes
from distillnerf_core.perception.config import OccupancyConfig
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy

_CHUNK_POINTS = 1 << 19


@runtime_checkable
class TabulatedField(Protocol):
    """What occupancy needs of a field: a row number for each point, and tables with one entry a row."""

    @property
    def logits(self) -> Float[Tensor, " rows"]:
        """Density logit of each row."""

    @property
    def language(self) -> Float[Tensor, "rows channels"]:
        """Language feature of each row."""

    def rows(self, points_m: Float[Tensor, "points 3"]) -> Int64[Tensor, " points"]:
        """Finds the row that describes each point of the ego frame, metres."""


def occupancy_from_field(
    field: TabulatedField, language: TextSpace, config: OccupancyConfig, classes: SemanticClasses | None = None
) -> SemanticOccupancy:
    """Samples a field on a grid: dense voxels are occupied, and carry the class nearest to their feature.

    Every stage works on the rows of the field, of which there are far fewer than voxels of the grid; a voxel
    only looks up its row.

    Args:
        field: The field.
        language: Where its features are compared with classes and texts.
        config: Grid and density threshold.
        classes: What voxels are labelled with; None: the checkpoint's classes. Without features of classes all that
            is occupied is the first one.
    """
    grid = config.grid()
    rows = _densest_rows(field, grid, config.vertical_samples)
    density = density_from_logit(field.logits)[rows]
    mask = density > config.density_threshold
    features = language.voxel_features(field.language)
    classes = classes or checkpoint_classes(language)
    nearest = torch.zeros_like(field.logits, dtype=torch.uint8)
    if classes.solid_features is not None:
        nearest = nearest_class(features, classes.solid_features)
    labels = torch.where(mask, nearest[rows], classes.labels.free)
    return SemanticOccupancy(
        grid=grid,
        labels=labels.to(torch.uint8),
        density=density,
        confidence=1.0 - torch.exp(-density * grid.voxel_size_m),
        occupied=OccupiedVoxels(mask.nonzero(), features[rows[mask]]),
        classes=classes.labels,
    )


def nearest_class(
    features: Float[Tensor, "points channels"], class_features: Float[Tensor, "classes channels"]
) -> UInt8[Tensor, " points"]:
    """Returns the class with the greatest cosine to each feature."""
    return (normalize(features, dim=-1) @ class_features.T).argmax(dim=-1).to(torch.uint8)


def _densest_rows(field: TabulatedField, grid: VoxelGrid, heights: int) -> Int64[Tensor, "x y z"]:
    """Finds for each voxel the densest of the rows met at evenly spread heights of its vertical axis."""
    centers = grid.centers_m(field.logits.device).reshape(-1, 3)
    best: Tensor | None = None
    for height in range(heights):
        offset = ((height + 0.5) / heights - 0.5) * grid.voxel_size_m
        points = centers + centers.new_tensor((0.0, 0.0, offset))
        rows = torch.cat([field.rows(chunk) for chunk in torch.split(points, _CHUNK_POINTS)])
        best = rows if best is None else torch.where(field.logits[rows] > field.logits[best], rows, best)
    assert best is not None
    return best.view(grid.size)
