"""What one glance predicts: density and features in sparse voxels, queried fine first."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.model.compositing import density_from_logit
from distillnerf_core.voxels.pooling import quantise
from distillnerf_core.voxels.structure import TwoLevelStructure, local_slot


@dataclass(frozen=True)
class FieldSamples:
    """The field at points.

    Attributes:
        density: Density in 1/m.
        logits: Density logits; density = exp(logit - 1).
        features: Language features, not normalised.
        occupied: True where a voxel exists.
    """

    density: Float[Tensor, " points"]
    logits: Float[Tensor, " points"]
    features: Float[Tensor, "points channels"]
    occupied: Bool[Tensor, " points"]


@dataclass(frozen=True)
class SceneField:
    """Sparse voxels of two levels in contracted space (DistillNeRF, section 3.2).

    The content of the field is one table: a row for every fine voxel (its own feature beside its parent's), a row
    for every coarse voxel (for the points in it that no fine voxel contains: the density complement), and one for
    empty space. A look-up is therefore one row number for each point.

    Attributes:
        space: Contraction from the ego frame.
        structure: Index of the occupied voxels.
        logits: Density logit of each row; the last is empty space.
        appearance: Feature of each row from which colour is decoded.
        language: Feature of each row in the space of text embeddings.
        row_table: Row of every slot of every coarse voxel, and of the cells outside them.
    """

    space: ContractedSpace
    structure: TwoLevelStructure
    logits: Float[Tensor, " rows"]
    appearance: Float[Tensor, "rows channels"]
    language: Float[Tensor, "rows language_channels"]
    row_table: Int64[Tensor, " cells"]

    @property
    def empty_row(self) -> int:
        """Row of empty space."""
        return len(self.logits) - 1

    def rows(self, points_m: Float[Tensor, "points 3"]) -> Int64[Tensor, " points"]:
        """Finds the row that describes each point of the ego frame, metres."""
        structure = self.structure
        fine = quantise(self.space.contract(points_m), structure.fine_level)
        coarse = structure.lookup_coarse(fine >> structure.jump)
        coarse = torch.where(coarse < 0, len(structure.coarse_keys), coarse)
        return self.row_table[coarse * 8**structure.jump + local_slot(fine, structure.jump)]

    def query(self, points_m: Float[Tensor, "points 3"]) -> FieldSamples:
        """Evaluates the field at points of the ego frame, metres."""
        rows = self.rows(points_m)
        logits = self.logits[rows]
        return FieldSamples(density_from_logit(logits), logits, self.language[rows], rows != self.empty_row)

    def to(self, device: torch.device | str) -> "SceneField":
        """Returns the field on a device."""
        return replace(
            self,
            structure=self.structure.to(device),
            logits=self.logits.to(device),
            appearance=self.appearance.to(device),
            language=self.language.to(device),
            row_table=self.row_table.to(device),
        )


def build_row_table(structure: TwoLevelStructure, use_fine: bool) -> Int64[Tensor, " cells"]:
    """Says for every slot of every coarse voxel which row describes it.

    Args:
        structure: Index of the voxels.
        use_fine: False makes every slot its coarse voxel's (the coarse-only baseline).
    """
    fine_count, coarse_count = len(structure.fine_keys), len(structure.coarse_keys)
    parents = torch.arange(coarse_count + 1, device=structure.coarse_keys.device) + fine_count
    table = parents[:, None].expand(-1, 8**structure.jump)
    if use_fine:
        table = torch.where(structure.children < 0, table, structure.children.long())
    return table.reshape(-1)
