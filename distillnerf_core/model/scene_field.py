"""What one glance predicts: density and features in sparse voxels, queried fine first."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int32, Int64
from torch import Tensor

from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.geometry.transforms import transform_points
from distillnerf_core.model.compositing import density_from_logit
from distillnerf_core.voxels.pooling import quantise
from distillnerf_core.voxels.structure import TwoLevelStructure


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
    for every layer of every coarse voxel (for the points in it that no fine voxel contains: the density complement),
    and one for empty space. A look-up is therefore one row number for each point.

    Attributes:
        space: Contraction of the field's frame.
        structure: Index of the occupied voxels.
        logits: Density logit of each row; the last is empty space.
        appearance: Feature of each row from which colour is decoded.
        language: Feature of each row in the space of text embeddings.
        row_table: Row of every slot of every coarse voxel, and of the cells outside them.
        block_start: Where the slots of each cell of the coarse grid (with its border) begin in `row_table`.
        field_from_ego: Rigid transform into the frame in which space is contracted, where that is not the ego frame.
    """

    space: ContractedSpace
    structure: TwoLevelStructure
    logits: Float[Tensor, " rows"]
    appearance: Float[Tensor, "rows channels"]
    language: Float[Tensor, "rows language_channels"]
    row_table: Int64[Tensor, " slots"]
    block_start: Int32[Tensor, " cells"]
    field_from_ego: Float[Tensor, "4 4"] | None = None

    @property
    def empty_row(self) -> int:
        """Row of empty space."""
        return len(self.logits) - 1

    def rows(self, points_m: Float[Tensor, "points 3"]) -> Int64[Tensor, " points"]:
        """Finds the row that describes each point of the ego frame, metres."""
        if self.field_from_ego is not None:
            points_m = transform_points(self.field_from_ego, points_m)
        return self.rows_of_axes(*points_m.unbind(-1))

    def rows_of_axes(
        self, x_m: Float[Tensor, "*batch"], y_m: Float[Tensor, "*batch"], z_m: Float[Tensor, "*batch"]
    ) -> Int64[Tensor, "*batch"]:
        """The same for coordinates in the field's frame, in separate tensors; the renderer's inner loop."""
        structure = self.structure
        jump, width = structure.jump, structure.coarse_grid.shape[0]
        block, slot = None, None
        for axis, values in enumerate((x_m, y_m, z_m)):
            cell = quantise(self.space.contract_axis(values, axis), structure.fine_level).int()
            coarse, local = (cell >> jump) + 1, cell & (2**jump - 1)
            block = coarse if block is None else block.mul_(width).add_(coarse)
            slot = local if slot is None else slot.mul_(2**jump).add_(local)
        assert block is not None
        assert slot is not None
        start = self.block_start.index_select(0, block.flatten())
        return self.row_table.index_select(0, start.add_(slot.flatten())).view(x_m.shape)

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
            block_start=self.block_start.to(device),
            field_from_ego=None if self.field_from_ego is None else self.field_from_ego.to(device),
        )


def build_row_table(structure: TwoLevelStructure, use_fine: bool, layers: int = 1) -> Int64[Tensor, " slots"]:
    """Says for every slot of every coarse voxel which row describes it.

    Args:
        structure: Index of the voxels.
        use_fine: False makes every slot its coarse voxel's (the coarse-only baseline).
        layers: Rows of a coarse voxel, from below; a divisor of the number of fine voxels along its edge.
    """
    fine_count, coarse_count = len(structure.fine_keys), len(structure.coarse_keys)
    device, edge = structure.coarse_keys.device, 2**structure.jump
    layer = torch.arange(8**structure.jump, device=device) % edge * layers // edge
    first = torch.arange(coarse_count + 1, device=device)[:, None] * layers
    table: Tensor = fine_count + (first + layer).clamp_max(coarse_count * layers)
    if use_fine:
        table = torch.where(structure.children < 0, table, structure.children.long())
    return table.reshape(-1)


def build_block_starts(structure: TwoLevelStructure) -> Int32[Tensor, " cells"]:
    """Says for every cell of the coarse grid where its slots begin in the row table; empty cells share the last."""
    numbers = structure.coarse_grid.flatten()
    blocks: Tensor = torch.where(numbers < 0, len(structure.coarse_keys), numbers)
    return blocks.mul(8**structure.jump)
