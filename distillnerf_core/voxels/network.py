"""The sparse U-shaped network over two octree levels (reference network, section 1.11)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.voxels.convolution import SparseConv3d
from distillnerf_core.voxels.layers import FineRefinement, SparseLayer
from distillnerf_core.voxels.level_tables import LevelTables
from distillnerf_core.voxels.network_config import SparseVoxelNetworkConfig


class SparseVoxelNetwork(nn.Module):
    """Lets two levels exchange what they know: fine layers, down to the coarse level, coarse layers.

    Args:
        config: Widths and depths.
    """

    def __init__(self, config: SparseVoxelNetworkConfig) -> None:
        super().__init__()
        fine, coarse = config.fine_channels, config.coarse_channels
        self.config = config
        self.fine_input = SparseLayer(config.fine_input_channels, fine, normalise=False)
        self.fine_layers = nn.ModuleList(SparseLayer(fine, fine, normalise=True) for _ in range(config.fine_layers))
        self.downsample = SparseLayer(fine, coarse, normalise=False)
        self.coarse_input = SparseLayer(config.coarse_input_channels, coarse, normalise=False)
        widths = [2 * coarse] + [coarse] * config.coarse_layers
        self.coarse_layers = nn.ModuleList(
            SparseLayer(width, coarse, normalise=True) for width in widths[: config.coarse_layers]
        )
        self.coarse_head = SparseConv3d(widths[config.coarse_layers], config.output_channels)
        self.fine_head: FineRefinement | None = None
        if config.refine_fine:
            self.fine_head = FineRefinement(fine, widths[config.coarse_layers], config.fine_input_channels)

    def forward(
        self,
        fine: Float[Tensor, "fine_voxels fine_channels"],
        coarse: Float[Tensor, "coarse_voxels coarse_channels"],
        tables: LevelTables,
    ) -> tuple[Float[Tensor, "fine_voxels fine_channels"], Float[Tensor, "coarse_voxels output_channels"]]:
        """Processes the pooled features of a frame.

        Args:
            fine: Pooled features of the fine voxels.
            coarse: Pooled features of the coarse voxels.
            tables: Neighbours within and between the levels.

        Returns:
            Features of the fine voxels (unchanged without `refine_fine`) and of the coarse ones; not clamped.
        """
        hidden = self.fine_input(fine, tables.fine)
        for layer in self.fine_layers:
            hidden = layer(hidden, tables.fine)
        context = torch.cat((self.downsample(hidden, tables.down), self.coarse_input(coarse, tables.coarse)), dim=1)
        for layer in self.coarse_layers:
            context = layer(context, tables.coarse)
        if self.fine_head is not None:
            fine = fine + self.fine_head(hidden, context, tables)
        return fine, self.coarse_head(context, tables.coarse)
