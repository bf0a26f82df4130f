"""Quantisation of points and their mean per occupied voxel (reference network, section 1.10)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.voxels.segments import segment_mean, weighted_segment_mean


def quantise(points: Float[Tensor, "*batch"], level: int) -> Int64[Tensor, "*batch"]:
    """Finds the voxels that contain points of the contracted cube.

    q = floor(clamp(2^level (s + 1) / 2, 0, 2^level - 1)), evaluated in the precision of the points (fp32 in
    the network). Scaling by powers of two is exact, so the voxel at a coarser level is q shifted right.

    Args:
        points: Finite positions s in [-1, 1]; what lies outside is squeezed into the outermost layer.
        level: Octree level; the cube has 2^level voxels along each axis.

    Returns:
        Voxel coordinates.
    """
    resolution = 2**level
    scaled = torch.mul(points.detach() + 1, resolution / 2)
    return scaled.clamp_(0, resolution - 1).to(torch.int64)


@dataclass(frozen=True)
class PointGroups:
    """Points grouped by the voxel that contains them; the outcome of the only sort of a frame.

    Attributes:
        keys: Morton codes of the occupied voxels, ascending and unique.
        order: Points in the order of their voxels; points of one voxel keep their original order.
        offsets: Where the points of each voxel begin in `order`; the last entry is the number of points.
    """

    keys: Int64[Tensor, " voxels"]
    order: Int64[Tensor, " points"]
    offsets: Int64[Tensor, " voxels_plus_one"]

    @property
    def counts(self) -> Int64[Tensor, " voxels"]:
        """Number of points in each voxel, at least one."""
        return self.offsets.diff()

    def coarsen(self, levels: int) -> "PointGroups":
        """Groups the same points by the ancestors of their voxels, without sorting again.

        Args:
            levels: How many octree levels to go up.

        Returns:
            The groups at the coarser level; they share `order`.
        """
        keys, children = torch.unique_consecutive(self.keys >> (3 * levels), return_counts=True)
        first_child = _offsets_from_counts(children)
        return PointGroups(keys, self.order, self.offsets[first_child])


def group_points(point_keys: Int64[Tensor, " points"]) -> PointGroups:
    """Groups points by voxel with one stable sort.

    Args:
        point_keys: Morton code of the voxel of every point.

    Returns:
        The groups in ascending order of their keys.
    """
    sorted_keys, order = torch.sort(point_keys, stable=True)
    keys, counts = torch.unique_consecutive(sorted_keys, return_counts=True)
    return PointGroups(keys, order, _offsets_from_counts(counts))


def pool_mean(groups: PointGroups, features: Float[Tensor, "points channels"]) -> Float[Tensor, "voxels channels"]:
    """Averages the features of the points in each voxel; deterministic and differentiable.

    Args:
        groups: Which points are in which voxel.
        features: One row for each point, in the order in which the points were grouped.

    Returns:
        Arithmetic means, one row for each voxel of `groups.keys`.
    """
    return segment_mean(features, groups.order, groups.offsets)


def pool_weighted_mean(
    groups: PointGroups,
    weights: Float[Tensor, " points"],
    rows: Int64[Tensor, " points"],
    features: Float[Tensor, "pixels channels"],
) -> Float[Tensor, "voxels channels"]:
    """Averages weights[i] * features[rows[i]] over the points i of each voxel.

    Equal to ``pool_mean(groups, weights[:, None] * features[rows])`` without holding a row for each point:
    the candidates of a pixel share its feature. It divides by the number of points, not the sum of weights.

    Args:
        groups: Which points are in which voxel.
        weights: Factor of every point.
        rows: Which row of `features` every point scales.
        features: Features shared by several points.

    Returns:
        Means, one row for each voxel of `groups.keys`; gradients flow to `weights` and `features`.
    """
    return weighted_segment_mean(features, weights, rows, groups.order, groups.offsets)


def _offsets_from_counts(counts: Int64[Tensor, " groups"]) -> Int64[Tensor, " groups_plus_one"]:
    return torch.nn.functional.pad(counts.cumsum(0), (1, 0))
