"""Means over segments of a list of row numbers, with gradients that need no scattered additions."""

from typing import Any

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

_POINTS_PER_BLOCK = 1 << 13
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
    result: Tensor = _SegmentMean.apply(features, members, offsets)  # type: ignore[no-untyped-call]
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
    result: Tensor = _WeightedSegmentMean.apply(  # type: ignore[no-untyped-call]
        features, weights, rows, members, offsets
    )
    return result


def gather_sorted(
    table: Float[Tensor, "segments channels"], segments: Int64[Tensor, " members"]
) -> Float[Tensor, "members channels"]:
    """Gives every member the row of its segment.

    Args:
        table: One row for each segment.
        segments: Segment of every member, ascending.

    Returns:
        ``table[segments]``; the gradient is a sum over consecutive rows, in a fixed order.
    """
    result: Tensor = _GatherSorted.apply(table, segments)  # type: ignore[no-untyped-call]
    return result


def bag_sums(
    rows: Int[Tensor, " members"],
    table: Float[Tensor, "rows channels"],
    offsets: Int[Tensor, " segments_plus_one"],
    weights: Float[Tensor, " members"] | None = None,
) -> Float[Tensor, "segments channels"]:
    """Adds up the rows that each segment lists, in the order of the list.

    Args:
        rows: Row of each member, segment after segment.
        table: What to add up.
        offsets: Where each segment begins in `rows`, and the end of the last one; of the type of `rows`.
        weights: Factor of each member; one if absent.

    Returns:
        One sum for each segment.
    """
    if rows.numel() == 0:
        return table.new_zeros(len(offsets) - 1, table.shape[1])
    return functional.embedding_bag(
        rows, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


def _segment_of_member(members: Tensor, offsets: Tensor) -> Tensor:
    numbers = torch.arange(len(offsets) - 1, device=members.device)
    in_order = numbers.repeat_interleave(offsets.diff(), output_size=len(members))
    return torch.empty_like(members).scatter_(0, members, in_order)


def _sorted_offsets(segments: Tensor, segment_count: int) -> Tensor:
    return torch.searchsorted(segments, torch.arange(segment_count + 1, device=segments.device))


class _GatherSorted(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, segments: Tensor) -> Tensor:
        ctx.save_for_backward(segments)
        ctx.segment_count = len(table)
        return table.index_select(0, segments)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (segments,) = ctx.saved_tensors
        members = torch.arange(len(segments), device=segments.device)
        return bag_sums(members, gradient, _sorted_offsets(segments, ctx.segment_count)), None


class _SegmentMean(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, members: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(members, offsets)
        return bag_sums(members, features, offsets).div_(offsets.diff()[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        members, offsets = ctx.saved_tensors
        scaled = gradient / offsets.diff()[:, None]
        return scaled.index_select(0, _segment_of_member(members, offsets)), None, None


class _WeightedSegmentMean(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weights: Tensor, rows: Tensor, members: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(features, weights, rows, members, offsets)
        sums = bag_sums(rows[members], features, offsets, weights[members])
        return sums.div_(offsets.diff()[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        features, weights, rows, members, offsets = ctx.saved_tensors
        scaled = gradient / offsets.diff()[:, None]
        segments = _segment_of_member(members, offsets)
        feature_gradient = (
            _row_sums(scaled, segments, weights, rows, len(features)) if ctx.needs_input_grad[0] else None
        )
        weight_gradient = _row_products(features, rows, scaled, segments) if ctx.needs_input_grad[1] else None
        return feature_gradient, weight_gradient, None, None, None


def _row_sums(table: Tensor, selection: Tensor, weights: Tensor, rows: Tensor, row_count: int) -> Tensor:
    """Sums weights[i] * table[selection[i]] over all i with rows[i] = r, for each r."""
    sorted_rows, order = torch.sort(rows, stable=True)
    return bag_sums(selection[order], table, _sorted_offsets(sorted_rows, row_count), weights[order])


def _row_products(left: Tensor, left_rows: Tensor, right: Tensor, right_rows: Tensor) -> Tensor:
    """Multiplies left[left_rows[i]] and right[right_rows[i]] as scalar products, block by block."""
    products = left.new_empty(len(left_rows))
    for begin in range(0, len(products), _POINTS_PER_BLOCK):
        block = slice(begin, begin + _POINTS_PER_BLOCK)
        terms = left.index_select(0, left_rows[block]).mul_(right.index_select(0, right_rows[block]))
        torch.sum(terms, dim=1, out=products[block])
    return products
