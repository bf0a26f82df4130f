"""Occupancy seen from above, for planners that drive in two dimensions."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Int8
from pydantic import Field, model_validator
from torch import Tensor

from distillnerf_core.configuration import Config
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.perception.results import SemanticOccupancy

OBSTACLE, PASSABLE, UNSEEN = 100, 0, -1
"""Values of a cell, those of `nav_msgs/OccupancyGrid`."""


class ObstacleMapConfig(Config):
    """What stands in a robot's way."""

    min_height_m: float = Field(
        default=0.3, ge=-10, le=10, description="Voxels centred below this height in the base frame are no obstacles"
    )
    max_height_m: float = Field(
        default=2.2, ge=-10, le=20, description="Voxels centred above this height are driven under"
    )
    ground_classes: tuple[str, ...] = Field(
        default=("driveable_surface", "other_flat", "sidewalk", "terrain"),
        description="Names of classes that are driven on, whatever their height",
    )
    known_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A column without an obstacle is passable where at least this share of its voxels between the two "
        "heights is known, else unknown",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "ObstacleMapConfig":
        if self.min_height_m >= self.max_height_m:
            raise ValueError(f"min_height_m {self.min_height_m} must lie below max_height_m {self.max_height_m}")
        return self


@dataclass(frozen=True)
class ObstacleMap:
    """Obstacles on the ground plan of a voxel grid.

    Attributes:
        grid: The voxel grid whose columns the cells are.
        cells: 100 obstacle, 0 passable, -1 unknown.
    """

    grid: VoxelGrid
    cells: Int8[Tensor, "x y"]


def obstacle_map(
    occupancy: SemanticOccupancy, ground_labels: Collection[int], config: ObstacleMapConfig
) -> ObstacleMap:
    """Projects occupancy onto the ground.

    A column is an obstacle where any of its occupied voxels between the two heights is of no ground class.

    Args:
        occupancy: Semantic occupancy in the base frame.
        ground_labels: Labels of the classes that are driven on.
        config: Heights, and how much must be known of a passable column.
    """
    grid = occupancy.grid
    device = occupancy.labels.device
    heights = grid.lower_m[2] + (torch.arange(grid.size[2], device=device) + 0.5) * grid.voxel_size_m
    band = (heights >= config.min_height_m) & (heights <= config.max_height_m)
    labels = occupancy.labels[:, :, band]
    ground = torch.tensor(sorted(ground_labels), dtype=labels.dtype, device=device)
    blocked = (occupancy.occupied_mask[:, :, band] & ~torch.isin(labels, ground)).any(dim=2)
    known = (labels != UNKNOWN).sum(dim=2) >= max(1.0, config.known_share * labels.shape[2])
    cells = torch.full(grid.size[:2], UNSEEN, dtype=torch.int8, device=device)
    return ObstacleMap(grid, cells.masked_fill(known, PASSABLE).masked_fill(blocked, OBSTACLE))
