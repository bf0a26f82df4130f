"""The published way from pooled voxels to a scene field."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.model.compositing import soft_clamp
from distillnerf_core.model.field_table import LevelContent, assemble_field
from distillnerf_core.model.lifting import LiftedVoxels
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.voxels.level_tables import build_tables
from distillnerf_core.voxels.network import SparseVoxelNetwork

FEATURE_LIMIT, COARSE_LOGIT_LIMIT, RENDER_LOGIT_LIMIT = 5.0, 30.0, 10.0


def reference_field(
    lifted: LiftedVoxels,
    network: SparseVoxelNetwork,
    space: ContractedSpace,
    language_head: Callable[[Tensor], Tensor],
    *,
    empty_first_leaf: bool,
) -> SceneField:
    """Runs the sparse network and lays out the field (reference network, 1.11 and 1.12).

    The coarse level is what the network makes of it; the fine level stays as it was pooled.

    Args:
        lifted: Pooled voxels of both levels, the logit last.
        network: Sparse network without refinement of the fine level.
        space: Contraction of the field's frame.
        language_head: Feature head over rows; it sees empty space too.
        empty_first_leaf: Treat the first voxel of each level as empty content, as the published look-up does.
    """
    fine, coarse = network(lifted.fine, lifted.coarse, build_tables(lifted.structure))
    coarse_content = LevelContent(
        soft_clamp(coarse[:, :-1], FEATURE_LIMIT), soft_clamp(coarse[:, -1:], COARSE_LOGIT_LIMIT)
    )
    fine_content = LevelContent(fine[:, :-1], fine[:, -1:])
    if empty_first_leaf:
        fine_content, coarse_content = without_first(fine_content), without_first(coarse_content)
    return assemble_field(
        space,
        lifted.structure,
        fine_content,
        coarse_content,
        language_head,
        RENDER_LOGIT_LIMIT,
        head_sees_empty=True,
    )


def without_first(content: LevelContent) -> LevelContent:
    """Zeroes features and logits of the voxel with the smallest Morton code; it still counts as occupied."""
    return LevelContent(_zero_first(content.features), _zero_first(content.logits))


def no_language(rows: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows 0"]:
    """The language head of variants that render colour: no channels."""
    return rows[:, :0]


def _zero_first(table: Tensor) -> Tensor:
    return torch.cat((torch.zeros_like(table[:1]), table[1:]))
