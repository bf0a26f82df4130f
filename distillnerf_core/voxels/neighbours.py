"""Tables of the inputs of each output of a 3x3x3 sparse convolution (reference network, section 1.11)."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from distillnerf_core.voxels.offsets import KERNEL_SIZE, kernel_offsets
from distillnerf_core.voxels.pairs import PairBlock, build_pairs
from distillnerf_core.voxels.structure import TwoLevelStructure, local_slot


@dataclass(frozen=True)
class NeighbourTable:
    """Which input voxel each output voxel of a convolution reads at each of the 27 kernel offsets.

    Attributes:
        indices: Row of the input; `input_count` where there is no voxel.
        input_count: Number of input voxels.
        submanifold: Inputs and outputs are the same voxels: j at offset k of i means i at offset 26 - k of j.
    """

    indices: Int32[Tensor, "outputs 27"]
    input_count: int
    submanifold: bool

    @cached_property
    def pairs(self) -> tuple[PairBlock, ...]:
        """The entries that exist, sorted for the convolution; built at the first use, then shared by all layers."""
        return build_pairs(self.indices, self.input_count)

    def __len__(self) -> int:
        """Number of output voxels."""
        return len(self.indices)

    def to(self, device: torch.device | str) -> "NeighbourTable":
        """Moves the table.

        Args:
            device: Where the indices shall live.

        Returns:
            The same table on that device.
        """
        return NeighbourTable(self.indices.to(device), self.input_count, self.submanifold)


def fine_neighbours(structure: TwoLevelStructure) -> NeighbourTable:
    """Lists the fine neighbours of every fine voxel.

    Args:
        structure: The occupied voxels.

    Returns:
        The table of a convolution from the fine level to itself.
    """
    slots = local_slot(structure.fine_coordinates(), structure.jump)
    indices = _fine_indices(structure, structure.parent_of_fine, slots)
    return NeighbourTable(indices, len(structure.fine_keys), submanifold=True)


def strided_neighbours(structure: TwoLevelStructure) -> NeighbourTable:
    """Lists the fine voxels at 2^jump p + offset for every coarse voxel p.

    Args:
        structure: The occupied voxels.

    Returns:
        The table of a convolution from the fine to the coarse level.
    """
    parents = torch.arange(len(structure.coarse_keys), device=structure.coarse_keys.device)
    indices = _fine_indices(structure, parents, torch.zeros_like(parents))
    return NeighbourTable(indices, len(structure.fine_keys), submanifold=False)


def coarse_neighbours(structure: TwoLevelStructure) -> NeighbourTable:
    """Lists the coarse neighbours of every coarse voxel.

    Args:
        structure: The occupied voxels.

    Returns:
        The table of a convolution from the coarse level to itself.
    """
    return NeighbourTable(_coarse_indices(structure), len(structure.coarse_keys), submanifold=True)


def _coarse_indices(structure: TwoLevelStructure) -> Int32[Tensor, "coarse_voxels 27"]:
    width = structure.coarse_grid.shape[0]
    strides = torch.tensor([width * width, width, 1], device=structure.coarse_keys.device)
    centres = ((structure.coarse_coordinates() + 1) * strides).sum(1)
    offsets = (kernel_offsets(strides.device) * strides).sum(1)
    found = structure.coarse_grid.view(-1)[centres[:, None] + offsets]
    return found.masked_fill_(found < 0, len(structure.coarse_keys))


def _fine_indices(
    structure: TwoLevelStructure, parents: Int64[Tensor, " outputs"], slots: Int64[Tensor, " outputs"]
) -> Int32[Tensor, "outputs 27"]:
    """Looks up the fine voxels around slots of parents through the coarse neighbours of the parents."""
    slot_count = structure.children.shape[1]
    # 32-bit addresses halve the traffic of what is bound by memory.
    dtype = torch.int32 if structure.children.numel() < 2**31 else torch.int64
    blocks, slots_of_neighbours = (table.to(dtype) for table in _static_tables(structure.jump, parents.device))
    # A missing block has the number of coarse voxels, which is the empty last row of the child table.
    first_child = (_coarse_indices(structure).to(dtype) * slot_count).view(-1)
    adjacent = blocks.index_select(0, slots).add_((parents.to(dtype) * KERNEL_SIZE)[:, None])
    addresses = first_child.index_select(0, adjacent.view(-1))
    addresses.add_(slots_of_neighbours.index_select(0, slots).view(-1))
    found = structure.children.view(-1).index_select(0, addresses).view(-1, KERNEL_SIZE)
    return found.masked_fill_(found < 0, len(structure.fine_keys))


def _static_tables(jump: int, device: torch.device) -> tuple[Int64[Tensor, "slots 27"], Int64[Tensor, "slots 27"]]:
    """Says for every slot and offset in which adjacent block and in which slot of it the neighbour lies."""
    steps = torch.arange(2**jump, device=device)
    local = torch.cartesian_prod(steps, steps, steps)[:, None] + kernel_offsets(device)
    block = (local >> jump) + 1
    slots = local_slot(local.view(-1, 3), jump).view(-1, KERNEL_SIZE)
    return (block[..., 0] * 3 + block[..., 1]) * 3 + block[..., 2], slots
