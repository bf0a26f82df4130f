"""Sparse convolution as gathered rows times one matrix, with its gradients (performance, section 1.7)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from distillnerf_core.voxels.offsets import KERNEL_SIZE

_BLOCK_ELEMENTS = {"cpu": 1 << 16}
"""Outputs times channels that are gathered at once: on a CPU the 27 rows of a block fit into its cache."""

_BLOCK_ELEMENTS_DEFAULT = 1 << 22


class SubmanifoldConvolution(Function):
    """y(i) = bias + sum_k x(table[i, k]) W_k where inputs and outputs are the same voxels.

    The table is its own transpose with mirrored offsets, so both gradients read one gathered block of the
    output's gradient and nothing is scattered.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, indices: Tensor) -> Tensor:
        """Computes the outputs.

        Args:
            ctx: Autograd's context.
            features: [voxels, inputs].
            weight: [27, inputs, outputs].
            bias: [outputs].
            indices: [voxels, 27], the number of voxels where there is no neighbour.

        Returns:
            [voxels, outputs].
        """
        ctx.save_for_backward(features, weight, indices)
        return gathered_product(features, weight, bias, indices)

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
        features, weight, indices = ctx.saved_tensors
        inputs, outputs = weight.shape[1:]
        mirrored = weight.flip(0).transpose(1, 2).reshape(-1, inputs)
        feature_gradient = torch.empty_like(features) if ctx.needs_input_grad[0] else None
        weight_gradient = weight.new_zeros(inputs, KERNEL_SIZE * outputs)
        for begin, end, gathered in _gathered_blocks(gradient, indices):
            if feature_gradient is not None:
                torch.mm(gathered, mirrored, out=feature_gradient[begin:end])
            weight_gradient.addmm_(features[begin:end].t(), gathered)
        weight_gradient = weight_gradient.view(inputs, KERNEL_SIZE, outputs).transpose(0, 1).flip(0)
        return feature_gradient, weight_gradient, gradient.sum(0), None


class StridedConvolution(Function):
    """y(p) = bias + sum_k x(table[p, k]) W_k from the voxels of one level to those of a coarser one."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, indices: Tensor) -> Tensor:
        """Computes the outputs.

        Args:
            ctx: Autograd's context.
            features: [fine voxels, inputs].
            weight: [27, inputs, outputs].
            bias: [outputs].
            indices: [coarse voxels, 27], the number of fine voxels where there is no neighbour.

        Returns:
            [coarse voxels, outputs].
        """
        ctx.save_for_backward(features, weight, indices)
        return gathered_product(features, weight, bias, indices)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        """Computes the gradients of features, weight and bias.

        Args:
            ctx: Autograd's context.
            gradient: [coarse voxels, outputs].

        Returns:
            One gradient for each differentiable argument.
        """
        features, weight, indices = ctx.saved_tensors
        feature_gradient = torch.zeros_like(features)
        weight_gradient = torch.empty_like(weight)
        for offset, column in enumerate(indices.unbind(1)):
            outputs = (column < len(features)).nonzero().squeeze(1)
            inputs = column[outputs]
            part = gradient[outputs]
            # No input occurs twice at one offset, so the order of the additions is fixed.
            feature_gradient.index_add_(0, inputs, part @ weight[offset].t())
            torch.mm(features.index_select(0, inputs).t(), part, out=weight_gradient[offset])
        return feature_gradient, weight_gradient, gradient.sum(0), None


def gathered_product(features: Tensor, weight: Tensor, bias: Tensor, indices: Tensor) -> Tensor:
    """Multiplies the gathered neighbours of each output with all 27 matrices in one product.

    Args:
        features: [inputs, input channels].
        weight: [27, input channels, output channels].
        bias: [output channels].
        indices: [outputs, 27], the number of inputs where there is no neighbour.

    Returns:
        [outputs, output channels].
    """
    matrix = weight.reshape(-1, weight.shape[2])
    result = features.new_empty(len(indices), weight.shape[2])
    for begin, end, gathered in _gathered_blocks(features, indices):
        torch.addmm(bias, gathered, matrix, out=result[begin:end])
    return result


def _gathered_blocks(features: Tensor, indices: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Yields ranges of outputs with their neighbours' features side by side, always in the same buffer."""
    padded = functional.pad(features, (0, 0, 0, 1))
    channels = features.shape[1]
    elements = _BLOCK_ELEMENTS.get(features.device.type, _BLOCK_ELEMENTS_DEFAULT)
    rows = min(max(elements // channels, 1), len(indices))
    buffer = features.new_empty(rows * KERNEL_SIZE, channels)
    for begin in range(0, len(indices), max(rows, 1)):
        block = indices[begin : begin + rows]
        gathered = buffer[: block.numel()]
        torch.index_select(padded, 0, block.reshape(-1), out=gathered)
        yield begin, begin + len(block), gathered.view(len(block), KERNEL_SIZE * channels)
