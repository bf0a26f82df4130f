"""Lays the content of both voxel levels out as the one table of a scene field."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.model.compositing import soft_clamp
from distillnerf_core.model.scene_field import SceneField, build_block_starts, build_row_table
from distillnerf_core.voxels.segments import gather_sorted
from distillnerf_core.voxels.structure import TwoLevelStructure

EMPTY_LOGIT = -30.0
"""Density logit where no voxel exists, before the field's bound."""


@dataclass(frozen=True)
class LevelContent:
    """What the voxels of one level hold.

    Attributes:
        features: Feature of each voxel.
        logits: Density logits of each voxel, one for each of its horizontal layers from below.
    """

    features: Float[Tensor, "voxels channels"]
    logits: Float[Tensor, "voxels layers"]


def assemble_field(
    space: ContractedSpace,
    structure: TwoLevelStructure,
    fine: LevelContent,
    coarse: LevelContent,
    language_head: Callable[[Tensor], Tensor],
    logit_limit: float,
    *,
    use_fine: bool = True,
    head_sees_empty: bool = False,
) -> SceneField:
    """Puts fine voxels beside their parents' features, coarse ones beside zeros, and empty space last.

    Args:
        space: Contraction of space.
        structure: Index of the voxels.
        fine: Content of the fine voxels, with one layer.
        coarse: Content of the coarse voxels.
        language_head: Turns rows [rows channels] into language features.
        logit_limit: Soft bound of the logits.
        use_fine: False leaves the fine level out of look-ups.
        head_sees_empty: Apply the language head to empty space as well; otherwise its language feature is zero.
    """
    layers = coarse.logits.shape[1]
    logits = torch.cat((fine.logits[:, 0], coarse.logits.flatten(), fine.logits.new_tensor([EMPTY_LOGIT])))
    beside_parents = torch.cat((fine.features, gather_sorted(coarse.features, structure.parent_of_fine)), dim=1)
    alone = pad(coarse.features, (fine.features.shape[1], 0))
    appearance = torch.cat((beside_parents, alone))
    empty = (0, 0, 0, 1)
    language = language_head(pad(appearance, empty)) if head_sees_empty else pad(language_head(appearance), empty)
    fine_count = len(fine.features)
    return SceneField(
        space=space,
        structure=structure,
        logits=soft_clamp(logits, logit_limit),
        appearance=_repeat_layers(pad(appearance, empty), fine_count, layers),
        language=_repeat_layers(language, fine_count, layers),
        row_table=build_row_table(structure, use_fine, layers),
        block_start=build_block_starts(structure),
    )


def _repeat_layers(table: Tensor, fine_count: int, layers: int) -> Tensor:
    """Gives every layer of a coarse voxel its voxel's row; the last row is empty space."""
    coarse = table[fine_count:-1, None].expand(-1, layers, -1).flatten(0, 1)
    return torch.cat((table[:fine_count], coarse, table[-1:]))
