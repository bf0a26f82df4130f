"""From pooled voxels to the rows of a scene field."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from distillnerf_core.configuration import Config
from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.model.compositing import soft_clamp
from distillnerf_core.model.field_table import EMPTY_LOGIT, LevelContent, assemble_field
from distillnerf_core.model.lifting import LiftedVoxels
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.voxels.level_tables import build_tables
from distillnerf_core.voxels.morton import morton_decode
from distillnerf_core.voxels.network import SparseVoxelNetwork
from distillnerf_core.voxels.network_config import SparseVoxelNetworkConfig
from distillnerf_core.voxels.structure import TwoLevelStructure

POSITION_CHANNELS = 4


class VoxelNetworkConfig(Config):
    """Sparse voxel network.

    Attributes:
        fine_channels: Width at the fine level.
        coarse_channels: Width at the coarse level.
        fine_layers: Processing layers at the fine level.
        coarse_layers: Processing layers at the coarse level.
        coarse_heights: Densities of a coarse voxel, one for each of its horizontal layers. Far from the cameras,
            few fine voxels are lifted; a coarse voxel then still tells the ground from the air above it.
        coarse_complement: False leaves space without a fine voxel empty (an ablation of the paper).
        logit_limit: Soft bound of the field's density logits.
        feature_limit: Soft bound of the field's features.
        language_hidden: Width of the head that turns a row's feature into a language feature.
    """

    fine_channels: int = 16
    coarse_channels: int = 32
    fine_layers: int = 1
    coarse_layers: int = 2
    coarse_heights: int = 4
    coarse_complement: bool = True
    logit_limit: float = 10.0
    feature_limit: float = 5.0
    language_hidden: int = 64


class VoxelNetwork(nn.Module):
    """Sparse convolutions over both levels, then one table of rows (DistillNeRF, section 3.2).

    Args:
        feature_channels: Channels of the lifted features; half of them are the coarse level's, half the fine one's.
        language_channels: Channels of a language feature.
        levels: Octree levels, coarse and fine.
        space: Contraction of the ego frame.
        config: Widths, depths and bounds.
    """

    def __init__(
        self,
        feature_channels: int,
        language_channels: int,
        levels: tuple[int, int],
        space: ContractedSpace,
        config: VoxelNetworkConfig,
    ) -> None:
        super().__init__()
        self.config, self.levels, self.space = config, levels, space
        half = feature_channels // 2
        self.network = SparseVoxelNetwork(
            SparseVoxelNetworkConfig(
                fine_input_channels=half + 1 + POSITION_CHANNELS,
                coarse_input_channels=half + 1 + POSITION_CHANNELS,
                fine_channels=config.fine_channels,
                coarse_channels=config.coarse_channels,
                fine_layers=config.fine_layers,
                coarse_layers=config.coarse_layers,
                output_channels=half + config.coarse_heights,
                refine_fine=True,
            )
        )
        self.language_head = nn.Sequential(
            nn.Linear(feature_channels, config.language_hidden),
            nn.SiLU(inplace=True),
            nn.Linear(config.language_hidden, language_channels),
        )

    def forward(self, lifted: LiftedVoxels, use_fine: bool = True) -> SceneField:
        """Lets the voxels exchange what they know and lays out the field's table.

        Args:
            lifted: Pooled voxels of both levels.
            use_fine: False leaves the fine level out of the field.
        """
        structure, (coarse_level, fine_level) = lifted.structure, self.levels
        channels = lifted.fine.shape[1]
        fine, coarse = self.network(
            self._with_positions(lifted.fine, structure.fine_keys, fine_level),
            self._with_positions(lifted.coarse, structure.coarse_keys, coarse_level),
            build_tables(structure),
        )
        return self._field(structure, fine[:, :channels], coarse, use_fine)

    def _with_positions(
        self, features: Float[Tensor, "voxels channels"], keys: Int64[Tensor, " voxels"], level: int
    ) -> Float[Tensor, "voxels more_channels"]:
        """Appends height, contracted position and distance, which a mean feature does not know."""
        centers = self.space.voxel_centers(morton_decode(keys), level)
        contracted = self.space.contract(centers)
        height = (centers[:, 2:] / 3.0).clamp(-3.0, 5.0)
        distance = centers[:, :2].norm(dim=1, keepdim=True).clamp_min(1.0).log() / 3.0
        return torch.cat((features, height, distance, contracted[:, :2]), dim=1)

    def _field(self, structure: TwoLevelStructure, fine: Tensor, coarse: Tensor, use_fine: bool) -> SceneField:
        heights, limit = self.config.coarse_heights, self.config.feature_limit
        logits = coarse[:, -heights:]
        if use_fine and not self.config.coarse_complement:
            logits = torch.full_like(logits, EMPTY_LOGIT)
        return assemble_field(
            self.space,
            structure,
            LevelContent(soft_clamp(fine[:, :-1], limit), fine[:, -1:]),
            LevelContent(soft_clamp(coarse[:, :-heights], limit), logits),
            self.language_head,
            self.config.logit_limit,
            use_fine=use_fine,
        )
