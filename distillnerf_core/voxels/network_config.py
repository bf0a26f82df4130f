"""Size of the sparse voxel network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SparseVoxelNetworkConfig:
    """Size of the network; the defaults are the published one.

    Attributes:
        fine_input_channels: Channels pooled at the fine level.
        coarse_input_channels: Channels pooled at the coarse level.
        fine_channels: Width of the layers at the fine level.
        coarse_channels: Width of the layers at the coarse level.
        fine_layers: Processing layers at the fine level.
        coarse_layers: Processing layers at the coarse level.
        output_channels: Channels of the coarse result.
        refine_fine: Also correct the pooled features of the fine level, which the published network does not.
    """

    fine_input_channels: int = 33
    coarse_input_channels: int = 33
    fine_channels: int = 128
    coarse_channels: int = 128
    fine_layers: int = 2
    coarse_layers: int = 2
    output_channels: int = 33
    refine_fine: bool = False
