"""Two-level index of voxels: a dense coarse grid and a table of children (performance, section 1.6)."""

from dataclasses import dataclass

import torch
from jaxtyping import Int, Int32, Int64
from torch import Tensor

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.voxels.morton import MAX_LEVEL, morton_decode

MISSING = -1
"""Index that a look-up gives where no voxel exists."""

_MAX_COARSE_LEVEL = 9
"""The dense grid of this level takes 0.5 GB; a finer one would not fit anywhere sensible."""


@dataclass(frozen=True)
class TwoLevelStructure:
    """Finds fine and coarse voxels from integer coordinates with two dependent reads.

    Voxels of both levels are numbered in Morton order, as their features are. A fine voxel with coordinates
    (x, y, z) within its parent has slot (x s + y) s + z of the child table, s = 2^jump.

    Attributes:
        fine_level: Level of the fine voxels.
        coarse_level: Level of their parents.
        fine_keys: Morton codes of the occupied fine voxels, ascending.
        coarse_keys: Morton codes of the occupied coarse voxels, ascending.
        parent_of_fine: Coarse index of every fine voxel, ascending.
        coarse_grid: Coarse index of every cell with a border of one cell around the cube, -1 where empty.
        children: Fine index of every slot of every coarse voxel, -1 where empty; the last row is all empty.
    """

    fine_level: int
    coarse_level: int
    fine_keys: Int64[Tensor, " fine_voxels"]
    coarse_keys: Int64[Tensor, " coarse_voxels"]
    parent_of_fine: Int64[Tensor, " fine_voxels"]
    coarse_grid: Int32[Tensor, "x_cells y_cells z_cells"]
    children: Int32[Tensor, "coarse_voxels_plus_one slots"]

    @property
    def jump(self) -> int:
        """Number of octree levels between the two."""
        return self.fine_level - self.coarse_level

    def fine_coordinates(self) -> Int64[Tensor, "fine_voxels 3"]:
        """Coordinates of the fine voxels in Morton order."""
        return morton_decode(self.fine_keys)

    def coarse_coordinates(self) -> Int64[Tensor, "coarse_voxels 3"]:
        """Coordinates of the coarse voxels in Morton order."""
        return morton_decode(self.coarse_keys)

    def lookup(
        self, fine_coordinates: Int[Tensor, "queries 3"]
    ) -> tuple[Int64[Tensor, " queries"], Int64[Tensor, " queries"]]:
        """Finds the voxels of both levels that contain cells of the fine grid.

        Args:
            fine_coordinates: Cells at the fine level; any integers, what is outside the cube is a miss.

        Returns:
            Fine index and coarse index of every query, -1 where there is no such voxel.
        """
        cells = self._bounded(fine_coordinates, self.fine_level)
        coarse = self._coarse_at(cells >> self.jump)
        hits = (coarse >= 0).nonzero().squeeze(1)
        slots = local_slot(cells.index_select(0, hits), self.jump)
        addresses = coarse.index_select(0, hits) * self.children.shape[1] + slots
        found = self.children.view(-1).index_select(0, addresses).to(torch.int64)
        return torch.full_like(coarse, MISSING).index_copy_(0, hits, found), coarse

    def lookup_coarse(self, coarse_coordinates: Int[Tensor, "queries 3"]) -> Int64[Tensor, " queries"]:
        """Finds coarse voxels.

        Args:
            coarse_coordinates: Cells at the coarse level; any integers, what is outside the cube is a miss.

        Returns:
            Coarse index of every query, -1 where there is no such voxel.
        """
        return self._coarse_at(self._bounded(coarse_coordinates, self.coarse_level))

    @staticmethod
    def _bounded(coordinates: Tensor, level: int) -> Tensor:
        """Pulls cells outside the cube next to it, so that 32 bits hold them."""
        return coordinates.clamp(-1, 1 << level).to(torch.int32)

    def _coarse_at(self, cells: Tensor) -> Tensor:
        width = self.coarse_grid.shape[0]
        x, y, z = (cells + 1).unbind(1)
        return self.coarse_grid.view(-1).index_select(0, (x * width + y) * width + z).to(torch.int64)

    def to(self, device: torch.device | str) -> "TwoLevelStructure":
        """Moves the structure.

        Args:
            device: Where all tensors shall live.

        Returns:
            The same structure on that device.
        """
        tensors = (self.fine_keys, self.coarse_keys, self.parent_of_fine, self.coarse_grid, self.children)
        return TwoLevelStructure(self.fine_level, self.coarse_level, *(tensor.to(device) for tensor in tensors))


def build_structure(fine_keys: Int64[Tensor, " fine_voxels"], fine_level: int, coarse_level: int) -> TwoLevelStructure:
    """Builds the index of a set of fine voxels and of their ancestors.

    Args:
        fine_keys: Morton codes of the occupied fine voxels, ascending and unique (see `group_points`).
        fine_level: Level of the codes.
        coarse_level: Level of the parents; a dense grid of 2^coarse_level cells along each axis is allocated.

    Returns:
        The structure on the device of the keys.

    Raises:
        ConfigurationError: The levels do not fit together.
    """
    _check_levels(fine_level, coarse_level)
    jump = fine_level - coarse_level
    coarse_keys, parent_of_fine = torch.unique_consecutive(fine_keys >> (3 * jump), return_inverse=True)
    slots = local_slot(morton_decode(fine_keys), jump)
    children = fine_keys.new_full((len(coarse_keys) + 1, 8**jump), MISSING, dtype=torch.int32)
    children.view(-1)[parent_of_fine * 8**jump + slots] = _numbers(fine_keys)
    return TwoLevelStructure(
        fine_level,
        coarse_level,
        fine_keys,
        coarse_keys,
        parent_of_fine,
        _dense_grid(coarse_keys, coarse_level),
        children,
    )


def local_slot(coordinates: Int[Tensor, "voxels 3"], jump: int) -> Int[Tensor, " voxels"]:
    """Numbers a voxel within its ancestor.

    Args:
        coordinates: Voxel coordinates at the fine level.
        jump: Number of levels between the voxel and the ancestor.

    Returns:
        (x s + y) s + z with s = 2^jump and the coordinates relative to the ancestor.
    """
    x, y, z = (coordinates & ((1 << jump) - 1)).unbind(1)
    return (((x << jump) | y) << jump) | z


def _dense_grid(keys: Tensor, level: int) -> Tensor:
    width = 2**level + 2
    x, y, z = (morton_decode(keys) + 1).unbind(1)
    grid = keys.new_full((width, width, width), MISSING, dtype=torch.int32)
    grid.view(-1)[(x * width + y) * width + z] = _numbers(keys)
    return grid


def _numbers(keys: Tensor) -> Tensor:
    return torch.arange(len(keys), dtype=torch.int32, device=keys.device)


def _check_levels(fine_level: int, coarse_level: int) -> None:
    if not 1 <= coarse_level < fine_level <= MAX_LEVEL or coarse_level > _MAX_COARSE_LEVEL:
        raise ConfigurationError(
            f"voxel levels: expected 1 <= coarse < fine <= {MAX_LEVEL} and coarse <= {_MAX_COARSE_LEVEL}, "
            f"got coarse {coarse_level} and fine {fine_level}; change the levels in the model's configuration"
        )
