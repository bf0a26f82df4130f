"""The sparse 3x3x3 convolution as a module (reference network, section 1.11)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.voxels.neighbours import NeighbourTable
from distillnerf_core.voxels.offsets import KERNEL_SIZE
from distillnerf_core.voxels.pair_products import StridedConvolution, SubmanifoldConvolution


class SparseConv3d(nn.Module):
    """y(p) = bias + sum_k x(neighbour k of p) W_k.

    Missing neighbours count as zero and outputs exist at voxels only. Whether it keeps the level or goes to a
    coarser one is a matter of the table that it is called with.

    Args:
        input_channels: Channels of the input voxels.
        output_channels: Channels of the output voxels.

    Attributes:
        weight: [27, input channels, output channels], offsets ordered as in `kernel_offsets`.
        bias: [output channels].
    """

    def __init__(self, input_channels: int, output_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(KERNEL_SIZE, input_channels, output_channels))
        self.bias = nn.Parameter(torch.empty(output_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weight for leaky rectifiers (He et al. 2015, slope 0.2) and clears the bias."""
        inputs = KERNEL_SIZE * self.weight.shape[1]
        nn.init.normal_(self.weight, std=(2 / (1 + 0.2**2) / inputs) ** 0.5)
        nn.init.zeros_(self.bias)

    def forward(
        self, features: Float[Tensor, "inputs input_channels"], table: NeighbourTable
    ) -> Float[Tensor, "outputs output_channels"]:
        """Convolves the features of voxels.

        Args:
            features: One row for each input voxel of the table; converted to the precision of the weight.
            table: Neighbours of the outputs, on the device of the features.

        Returns:
            One row for each output voxel of the table.
        """
        function = SubmanifoldConvolution if table.submanifold else StridedConvolution
        result: Tensor = function.apply(  # type: ignore[no-untyped-call]
            features.to(self.weight.dtype), self.weight, self.bias, table.pairs
        )
        return result
