"""The pairs of voxels that a sparse convolution multiplies, sorted by kernel offset (performance, section 1.7)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from distillnerf_core.voxels.offsets import KERNEL_SIZE

_BLOCK_ROWS = {"cpu": 4096}
"""Outputs of one block: on a CPU the features of its pairs stay in the cache."""

_BLOCK_ROWS_DEFAULT = 1 << 17


@dataclass(frozen=True)
class PairBlock:
    """Every existing (input, output) pair of a range of outputs, offset after offset.

    Only a third to a half of the 27 neighbours of a voxel on a surface exist; lists save multiplying the others.

    Attributes:
        begin: First output of the block.
        end: One past the last output.
        inputs: Input voxel of each pair.
        outputs: Output voxel of each pair, counted from `begin`.
        counts: Number of pairs at each of the 27 offsets.
        order: The pairs again, output after output.
        output_offsets: Where the pairs of each output begin in `order`, and the end of the last one.
    """

    begin: int
    end: int
    inputs: Int32[Tensor, " pairs"]
    outputs: Int32[Tensor, " pairs"]
    counts: tuple[int, ...]
    order: Int32[Tensor, " pairs"]
    output_offsets: Int32[Tensor, " outputs_plus_one"]


def build_pairs(indices: Int32[Tensor, "outputs 27"], input_count: int) -> tuple[PairBlock, ...]:
    """Lists the pairs of a neighbour table.

    Args:
        indices: Input row of every output and offset; `input_count` where there is none.
        input_count: Number of inputs.

    Returns:
        Consecutive blocks that cover all outputs.
    """
    rows = _BLOCK_ROWS.get(indices.device.type, _BLOCK_ROWS_DEFAULT)
    begins = range(0, len(indices), rows)
    return tuple(_build_block(indices[begin : begin + rows], begin, input_count) for begin in begins)


def _build_block(indices: Tensor, begin: int, input_count: int) -> PairBlock:
    rows = len(indices)
    by_offset = indices.t().contiguous().view(-1)
    present = by_offset < input_count
    pairs = _positions(present)
    # Number every pair in the order of offsets, then read the numbers in the order of outputs.
    numbers = present.cumsum(0, dtype=torch.int32).sub_(1).view(KERNEL_SIZE, rows).t().contiguous().view(-1)
    by_output = _positions((indices < input_count).view(-1))
    counts = present.view(KERNEL_SIZE, rows).sum(1).tolist()
    return PairBlock(
        begin=begin,
        end=begin + rows,
        inputs=by_offset.index_select(0, pairs),
        outputs=pairs.remainder(rows).to(torch.int32),
        counts=tuple(counts),
        order=numbers.index_select(0, by_output),
        output_offsets=_boundaries(by_output, rows),
    )


def _boundaries(by_output: Tensor, rows: int) -> Tensor:
    firsts = torch.arange(rows + 1, device=by_output.device) * KERNEL_SIZE
    return torch.searchsorted(by_output, firsts).to(torch.int32)


def _positions(mask: Bool[Tensor, " entries"]) -> Int64[Tensor, " present"]:
    """Lists where a mask is set; NumPy does it ten times faster than PyTorch's `nonzero` on a CPU."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.nonzero().squeeze(1)
