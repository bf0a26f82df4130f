"""Means over segments of a list of row numbers, with gradients that need no scattered additions."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

_POINTS_PER_BLOCK = 1 << 15
"""Rows that the gradient of the weights gathers at once: small enough to stay in the cache."""


def segment_mean(
    features: Float[Tensor, "rows channels"],
    members: Int64[Tensor, " members"],
    offsets: Int64[Tensor, " segments_plus_one"],
) -> Float[Tensor, "segments channels"]:
    """Averages the rows that each segment lists.

    Args:
        features: Rows to average.
        members: A permutation of the row numbers, segment after segment.
        offsets: Where each non-empty segment begins in `members`, and the end of the last one.

    Returns:
        One mean for each segment.
    """
    result: Tensor = _SegmentMean.apply(features, members, offsets)
    return result


def weighted_segment_mean(
    features: Float[Tensor, "rows channels"],
    weights: Float[Tensor, " members"],
    rows: Int64[Tensor, " members"],
    members: Int64[Tensor, " members"],
    offsets: Int64[Tensor, " segments_plus_one"],
) -> Float[Tensor, "segments channels"]:
    """Averages weights[i] * features[rows[i]] over the members i that each segment lists.

    Args:
        features: Rows that members scale.
        weights: Factor of each member.
        rows: Row of each member.
        members: A permutation of the member numbers, segment after segment.
        offsets: Where each non-empty segment begins in `members`, and the end of the last one.

    Returns:
        One sum divided by the number of members for each segment.
    """
    result: Tensor = _WeightedSegmentMean.apply(features, weights, rows, members, offsets)
    return result


def _segment_of_member(members: Tensor, offsets: Tensor) -> Tensor:
    numbers = torch.arange(len(offsets) - 1, device=members.device)
    in_order = numbers.repeat_interleave(offsets.diff(), output_size=len(members))
    return torch.empty_like(members).scatter_(0, members, in_order)


def _bag_sums(rows: Tensor, table: Tensor, offsets: Tensor, weights: Tensor | None = None) -> Tensor:
    if rows.numel() == 0:
        return table.new_zeros(len(offsets) - 1, table.shape[1])
    return functional.embedding_bag(
        rows, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


class _SegmentMean(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, members: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(members, offsets)
        return _bag_sums(members, features, offsets).div_(offsets.diff()[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        members, offsets = ctx.saved_tensors
        scaled = gradient / offsets.diff()[:, None]
        return scaled.index_select(0, _segment_of_member(members, offsets)), None, None


class _WeightedSegmentMean(Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weights: Tensor, rows: Tensor, members: Tensor, offsets: Tensor
    ) -> Tensor:
        ctx.save_for_backward(features, weights, rows, members, offsets)
        sums = _bag_sums(rows[members], features, offsets, weights[members])
        return sums.div_(offsets.diff()[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        features, weights, rows, members, offsets = ctx.saved_tensors
        scaled = gradient / offsets.diff()[:, None]
        segments = _segment_of_member(members, offsets)
        feature_gradient = _row_sums(scaled, segments, weights, rows, len(features)) if ctx.needs_input_grad[0] else None
        weight_gradient = _row_products(features, rows, scaled, segments) if ctx.needs_input_grad[1] else None
        return feature_gradient, weight_gradient, None, None, None


def _row_sums(table: Tensor, selection: Tensor, weights: Tensor, rows: Tensor, row_count: int) -> Tensor:
    """Sums weights[i] * table[selection[i]] over all i with rows[i] = r, for each r."""
    sorted_rows, order = torch.sort(rows, stable=True)
    row_numbers = torch.arange(row_count + 1, device=rows.device)
    offsets = torch.searchsorted(sorted_rows, row_numbers)
    return _bag_sums(selection[order], table, offsets, weights[order])


def _row_products(left: Tensor, left_rows: Tensor, right: Tensor, right_rows: Tensor) -> Tensor:
    """Multiplies left[left_rows[i]] and right[right_rows[i]] as scalar products, block by block."""
    blocks = zip(left_rows.split(_POINTS_PER_BLOCK), right_rows.split(_POINTS_PER_BLOCK), strict=True)
    products = [torch.linalg.vecdot(left[first], right[second]) for first, second in blocks]
    return torch.cat(products)
