import pytest
import torch
from torch import Tensor

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import CLASS_NAMES, FREE, UNKNOWN
from distillnerf_core.perception.obstacle_map import (
    OBSTACLE,
    PASSABLE,
    UNSEEN,
    ObstacleMapConfig,
    obstacle_map,
)
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy

CAR, ROAD = CLASS_NAMES.index("car"), CLASS_NAMES.index("driveable_surface")
GRID = VoxelGrid((-1.0, -1.0, -0.5), 0.5, (2, 3, 8))
"""Voxel centres at heights -0.25, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25."""


def occupancy(labels: Tensor) -> SemanticOccupancy:
    zeros = torch.zeros(GRID.size)
    occupied = OccupiedVoxels((labels < FREE).nonzero(), torch.zeros(int((labels < FREE).sum()), 4))
    return SemanticOccupancy(GRID, labels, zeros, zeros, occupied)


@pytest.fixture
def labels() -> Tensor:
    return torch.full(GRID.size, FREE, dtype=torch.uint8)


def test_columns_are_what_stands_between_the_heights(labels: Tensor) -> None:
    labels[0, 0, 2] = CAR
    labels[0, 1, 1] = CAR  # below the least height
    labels[0, 2, 7] = CAR  # driven under
    labels[1, 0, 3] = ROAD  # a hill that is driven on
    labels[1, 1] = UNKNOWN
    cells = obstacle_map(occupancy(labels), [ROAD], ObstacleMapConfig()).cells
    expected = [[OBSTACLE, PASSABLE, PASSABLE], [PASSABLE, UNSEEN, PASSABLE]]
    assert cells.tolist() == expected


def test_a_column_half_hidden_is_passable_and_less_is_unknown(labels: Tensor) -> None:
    # Four voxels lie between 0.3 and 2.3 m: heights 0.75 to 2.25.
    config = ObstacleMapConfig(max_height_m=2.3)
    labels[0, 0, 2:4] = UNKNOWN
    labels[0, 1, 2:5] = UNKNOWN
    labels[0, 2, 2:5] = UNKNOWN
    labels[0, 2, 5] = CAR
    cells = obstacle_map(occupancy(labels), [ROAD], config).cells
    assert cells[0].tolist() == [PASSABLE, UNSEEN, OBSTACLE]


def test_without_ground_classes_the_road_blocks(labels: Tensor) -> None:
    labels[0, 0, 3] = ROAD
    assert int(obstacle_map(occupancy(labels), [], ObstacleMapConfig()).cells[0, 0]) == OBSTACLE


def test_heights_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"min_height_m 3.0 must lie below max_height_m 2.2"):
        parse_config({"min_height_m": 3.0}, ObstacleMapConfig)
