"""Sparse convolutions as products over lists of pairs, with their gradients (performance, section 1.7)."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from distillnerf_core.voxels.pairs import PairBlock
from distillnerf_core.voxels.segments import bag_sums

Pairs = tuple[PairBlock, ...]


class SubmanifoldConvolution(Function):
    """y(i) = bias + sum_k x(table[i, k]) W_k where inputs and outputs are the same voxels.

    The table is its own transpose with mirrored offsets, so the same lists serve the gradients and nothing is
    scattered.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, pairs: Pairs) -> Tensor:
        """Computes the outputs.

        Args:
            ctx: Autograd's context.
            features: [voxels, inputs].
            weight: [27, inputs, outputs].
            bias: [outputs].
            pairs: Pairs of neighbours.

        Returns:
            [voxels, outputs].
        """
        ctx.save_for_backward(features, weight)
        ctx.pairs = pairs
        return _convolve(features, weight, bias, pairs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        """Computes the gradients of features, weight and bias.

        Args:
            ctx: Autograd's context.
            gradient: [voxels, outputs].

        Returns:
            One gradient for each differentiable argument.
        """
        features, weight = ctx.saved_tensors
        mirrored = weight.flip(0).transpose(1, 2).contiguous().unbind(0)
        feature_gradient = torch.empty_like(features) if ctx.needs_input_grad[0] else None
        weight_gradient = torch.zeros_like(weight)
        parts = weight_gradient.unbind(0)[::-1]
        own_rows, products = _Rows(features, ctx.pairs), _Rows(features, ctx.pairs)
        for block, gathered in _gathered_inputs(gradient, ctx.pairs):
            own = own_rows.gather(features[block.begin : block.end], block.outputs)
            _add_outer_products(parts, own, gathered, block)
            if feature_gradient is not None:
                sums = _multiply_and_sum(gathered, mirrored, products, block)
                feature_gradient[block.begin : block.end] = sums
        return feature_gradient, weight_gradient, gradient.sum(0), None


class StridedConvolution(Function):
    """y(p) = bias + sum_k x(table[p, k]) W_k from the voxels of one level to those of a coarser one."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, pairs: Pairs) -> Tensor:
        """Computes the outputs.

        Args:
            ctx: Autograd's context.
            features: [fine voxels, inputs].
            weight: [27, inputs, outputs].
            bias: [outputs].
            pairs: Pairs of fine inputs and coarse outputs.

        Returns:
            [coarse voxels, outputs].
        """
        ctx.save_for_backward(features, weight)
        ctx.pairs = pairs
        return _convolve(features, weight, bias, pairs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Computes the gradients of features, weight and bias.

        Args:
            ctx: Autograd's context.
            gradient: [coarse voxels, outputs].

        Returns:
            One gradient for each differentiable argument.
        """
        features, weight = ctx.saved_tensors
        feature_gradient = torch.zeros_like(features)
        weight_gradient = torch.zeros_like(weight)
        transposed = weight.transpose(1, 2).unbind(0)
        rows = _Rows(gradient, ctx.pairs)
        for block, gathered in _gathered_inputs(features, ctx.pairs):
            own = rows.gather(gradient[block.begin : block.end], block.outputs)
            _add_outer_products(weight_gradient.unbind(0), gathered, own, block)
            # No input occurs twice at one offset, so the order of the additions is fixed.
            for inputs, part, matrix in zip(_split(block.inputs, block), _split(own, block), transposed, strict=True):
                feature_gradient.index_add_(0, inputs, part @ matrix)
        return feature_gradient, weight_gradient, gradient.sum(0), None


class _Rows:
    """A buffer for one row of each pair of a block, used again for all blocks: fresh memory costs page faults."""

    def __init__(self, like: Tensor, pairs: Pairs, channels: int | None = None) -> None:
        rows = max((len(block.inputs) for block in pairs), default=0)
        self._buffer = like.new_empty(rows, like.shape[1] if channels is None else channels)

    def first(self, count: int) -> Tensor:
        """Returns the first rows, [count channels], with whatever they hold."""
        return self._buffer[:count]

    def gather(self, table: Tensor, rows: Tensor) -> Tensor:
        """Copies the numbered rows of a table into the first rows and returns these, [rows channels]."""
        gathered = self.first(len(rows))
        torch.index_select(table, 0, rows, out=gathered)
        return gathered


def _convolve(features: Tensor, weight: Tensor, bias: Tensor, pairs: Pairs) -> Tensor:
    outputs = weight.shape[2]
    result = features.new_empty(pairs[-1].end if pairs else 0, outputs)
    products = _Rows(features, pairs, outputs)
    for block, gathered in _gathered_inputs(features, pairs):
        sums = _multiply_and_sum(gathered, weight.unbind(0), products, block)
        torch.add(sums, bias, out=result[block.begin : block.end])
    return result


def _gathered_inputs(features: Tensor, pairs: Pairs) -> Iterator[tuple[PairBlock, Tensor]]:
    rows = _Rows(features, pairs)
    for block in pairs:
        yield block, rows.gather(features, block.inputs)


def _multiply_and_sum(gathered: Tensor, matrices: Sequence[Tensor], products: _Rows, block: PairBlock) -> Tensor:
    """Multiplies the pairs of each offset with its matrix, then adds up the pairs of each output."""
    results = products.first(len(gathered))
    for part, matrix, result in zip(_split(gathered, block), matrices, _split(results, block), strict=True):
        torch.mm(part, matrix, out=result)
    return bag_sums(block.order, results, block.output_offsets)


def _add_outer_products(sums: Sequence[Tensor], left: Tensor, right: Tensor, block: PairBlock) -> None:
    for total, left_part, right_part in zip(sums, _split(left, block), _split(right, block), strict=True):
        total.addmm_(left_part.t(), right_part)


def _split(rows: Tensor, block: PairBlock) -> Sequence[Tensor]:
    return torch.split(rows, list(block.counts))
