"""Layers that the sparse voxel network is made of."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from distillnerf_core.voxels.convolution import SparseConv3d
from distillnerf_core.voxels.level_tables import LevelTables
from distillnerf_core.voxels.neighbours import NeighbourTable
from distillnerf_core.voxels.segments import gather_sorted

_NEGATIVE_SLOPE = 0.2


class SparseLayer(nn.Module):
    """Convolution, leaky rectifier, and layer normalisation where wanted.

    Args:
        input_channels: Channels of the input voxels.
        output_channels: Channels of the output voxels.
        normalise: Whether to normalise over the channels of each voxel.
    """

    def __init__(self, input_channels: int, output_channels: int, normalise: bool) -> None:
        super().__init__()
        self.convolution = SparseConv3d(input_channels, output_channels)
        self.norm = nn.LayerNorm(output_channels) if normalise else None

    def forward(
        self, features: Float[Tensor, "inputs input_channels"], table: NeighbourTable
    ) -> Float[Tensor, "outputs output_channels"]:
        """Applies the layer.

        Args:
            features: One row for each input voxel of the table.
            table: Neighbours of the outputs.

        Returns:
            One row for each output voxel of the table.
        """
        activated = functional.leaky_relu(self.convolution(features, table), _NEGATIVE_SLOPE, inplace=True)
        normalised: Tensor = activated if self.norm is None else self.norm(activated)
        return normalised


class FineRefinement(nn.Module):
    """Correction of the pooled fine features from both levels; zero until it is trained.

    Args:
        fine_channels: Channels of the processed fine voxels.
        coarse_channels: Channels of the processed coarse voxels.
        output_channels: Channels of the pooled fine features.
    """

    def __init__(self, fine_channels: int, coarse_channels: int, output_channels: int) -> None:
        super().__init__()
        self.head = SparseConv3d(fine_channels, output_channels)
        self.context = nn.Linear(coarse_channels, output_channels, bias=False)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.context.weight)

    def forward(
        self,
        fine: Float[Tensor, "fine_voxels fine_channels"],
        coarse: Float[Tensor, "coarse_voxels coarse_channels"],
        tables: LevelTables,
    ) -> Float[Tensor, "fine_voxels output_channels"]:
        """Computes what to add to the pooled features.

        Args:
            fine: Processed features of the fine voxels.
            coarse: Processed features of the coarse voxels; every fine voxel receives those of its parent.
            tables: Neighbours within and between the levels.

        Returns:
            One row for each fine voxel.
        """
        from_parent = gather_sorted(self.context(coarse), tables.parent_of_fine)
        correction: Tensor = self.head(fine, tables.fine)
        return correction + from_parent
