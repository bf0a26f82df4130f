"""Tables of the inputs that each output of a 3x3x3 sparse convolution reads (reference network, section 1.11)."""

import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from distillnerf_core.voxels.offsets import KERNEL_SIZE, kernel_offsets
from distillnerf_core.voxels.structure import TwoLevelStructure, local_slot


def fine_neighbours(structure: TwoLevelStructure) -> Int32[Tensor, "fine_voxels 27"]:
    """Lists the fine neighbours of every fine voxel.

    Args:
        structure: The occupied voxels.

    Returns:
        Fine index of the voxel at each kernel offset; the number of fine voxels where there is none.
    """
    slots = local_slot(structure.fine_coordinates(), structure.jump)
    return _fine_table(structure, structure.parent_of_fine, slots)


def strided_neighbours(structure: TwoLevelStructure) -> Int32[Tensor, "coarse_voxels 27"]:
    """Lists the fine voxels at 2^jump p + offset for every coarse voxel p.

    Args:
        structure: The occupied voxels.

    Returns:
        Fine index of the voxel at each kernel offset; the number of fine voxels where there is none.
    """
    parents = torch.arange(len(structure.coarse_keys), device=structure.coarse_keys.device)
    return _fine_table(structure, parents, torch.zeros_like(parents))


def coarse_neighbours(structure: TwoLevelStructure) -> Int32[Tensor, "coarse_voxels 27"]:
    """Lists the coarse neighbours of every coarse voxel.

    Args:
        structure: The occupied voxels.

    Returns:
        Coarse index of the voxel at each kernel offset; the number of coarse voxels where there is none.
    """
    count = len(structure.coarse_keys)
    width = structure.coarse_grid.shape[0]
    strides = torch.tensor([width * width, width, 1], device=structure.coarse_keys.device)
    centres = (structure.coarse_coordinates() + 1) @ strides
    offsets = kernel_offsets(strides.device) @ strides
    found = structure.coarse_grid.view(-1)[centres[:, None] + offsets]
    return torch.where(found < 0, count, found)


def _fine_table(structure: TwoLevelStructure, parents: Tensor, slots: Tensor) -> Tensor:
    """Looks up the fine voxels around (parent, slot) through the coarse neighbours of the parent."""
    block_of_neighbour, slot_of_neighbour = _static_tables(structure.jump, parents.device)
    blocks = coarse_neighbours(structure)
    found = torch.empty(len(parents), KERNEL_SIZE, dtype=torch.int32, device=parents.device)
    width = structure.children.shape[1]
    # A missing block has the number of coarse voxels, which is the empty last row of the child table.
    block_rows = blocks.view(-1)[(parents * KERNEL_SIZE)[:, None] + block_of_neighbour[slots]]
    torch.take(structure.children, block_rows * width + slot_of_neighbour[slots], out=found)
    return found.masked_fill_(found < 0, len(structure.fine_keys))


def _static_tables(
    jump: int, device: torch.device
) -> tuple[Int64[Tensor, "slots 27"], Int64[Tensor, "slots 27"]]:
    """Says for every slot and offset in which adjacent block and in which slot of it the neighbour lies."""
    steps = torch.arange(2**jump, device=device)
    local = torch.cartesian_prod(steps, steps, steps)[:, None] + kernel_offsets(device)
    block = (local >> jump) + 1
    slots = local_slot(local.view(-1, 3), jump).view(-1, KERNEL_SIZE)
    return (block[..., 0] * 3 + block[..., 1]) * 3 + block[..., 2], slots
