"""All neighbour tables of one frame."""

from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from distillnerf_core.voxels.neighbours import (
    NeighbourTable,
    coarse_neighbours,
    fine_neighbours,
    strided_neighbours,
)
from distillnerf_core.voxels.structure import TwoLevelStructure


@dataclass(frozen=True)
class LevelTables:
    """The three neighbour tables that the network reads.

    Attributes:
        fine: Fine level to itself.
        down: Fine to coarse level.
        coarse: Coarse level to itself.
        parent_of_fine: Coarse index of every fine voxel, ascending.
    """

    fine: NeighbourTable
    down: NeighbourTable
    coarse: NeighbourTable
    parent_of_fine: Int64[Tensor, " fine_voxels"]

    def to(self, device: torch.device | str) -> "LevelTables":
        """Moves the tables.

        Args:
            device: Where all indices shall live.

        Returns:
            The same tables on that device.
        """
        return LevelTables(
            self.fine.to(device), self.down.to(device), self.coarse.to(device), self.parent_of_fine.to(device)
        )


def build_tables(structure: TwoLevelStructure) -> LevelTables:
    """Builds all tables of a frame.

    Args:
        structure: The occupied voxels.

    Returns:
        The tables on the device of the structure.
    """
    return LevelTables(
        fine_neighbours(structure),
        strided_neighbours(structure),
        coarse_neighbours(structure),
        structure.parent_of_fine,
    )
