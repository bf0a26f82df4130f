"""A trainable multiresolution hash grid in plain PyTorch."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from distillnerf_core.teachers.field.grid_layout import GridLayout

_INITIAL = 1e-4


class HashGrid(nn.Module):
    """Interpolates features at positions in the unit cube.

    Args:
        layout: Levels and table.
        features: Values of each entry.
    """

    def __init__(self, layout: GridLayout, features: int) -> None:
        super().__init__()
        self.layout = layout
        self.table = nn.Parameter(torch.empty(layout.entries, features).uniform_(-_INITIAL, _INITIAL))

    @property
    def width(self) -> int:
        """Length of a position's feature: the levels' features one after another."""
        return len(self.layout.levels) * self.table.shape[1]

    def forward(
        self, positions: Float[Tensor, "points axes"], keys: Int64[Tensor, " points"] | None = None
    ) -> Float[Tensor, "points width"]:
        """Returns the interpolated features; no gradient flows into the positions.

        Args:
            positions: In [0, 1]; the last axis may be the time.
            keys: Which of the grids in the table is asked, where the layout is keyed.
        """
        with torch.no_grad():
            rows, weights = self.layout.corners(positions, keys)
        return blend(self.table, rows, weights)


def blend(
    table: Float[Tensor, "entries features"],
    rows: Int64[Tensor, "points levels corners"],
    weights: Float[Tensor, "points levels corners"],
) -> Float[Tensor, "points width"]:
    """Returns sum_k weights_k table[rows_k] for each point and level, flattened level by level."""
    blended: Tensor = _Blend.apply(table, rows.flatten(0, 1), weights.flatten(0, 1))  # type: ignore[no-untyped-call]
    return blended.view(len(rows), rows.shape[1] * table.shape[1])


class _Blend(torch.autograd.Function):
    """PyTorch's own backward pass of `embedding_bag` sorts all rows, which is several times slower on a CPU."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.shape = table.shape
        return nn.functional.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        rows, weights = ctx.saved_tensors
        shares = weights[..., None] * gradients[0][:, None]
        table = gradients[0].new_zeros(ctx.shape)
        return table.index_add_(0, rows.flatten(), shares.flatten(0, 1)), None, None
