"""Lifting pixels into space and pooling them in voxels of two levels."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.model.fine_depth import Frustum
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.pooling import group_points, pool_weighted_mean, quantise
from distillnerf_core.voxels.structure import TwoLevelStructure, build_structure


@dataclass(frozen=True)
class LiftedVoxels:
    """Voxels that lifted pixels occupy.

    Attributes:
        structure: Index of both levels.
        fine: Mean feature and, as the last channel, mean logit of each fine voxel.
        coarse: The same for each coarse voxel.
    """

    structure: TwoLevelStructure
    fine: Float[Tensor, "fine_voxels channels"]
    coarse: Float[Tensor, "coarse_voxels channels"]


def lift(frustum: Frustum, rig: CameraRig) -> Float[Tensor, "cameras h w candidates 3"]:
    """Places every candidate in the ego frame: camera centre + distance * unit ray, metres."""
    rays = camera_rays(rig)
    return rays.origins_m[..., None, :] + frustum.distances_m[..., None] * rays.directions[..., None, :]


def pool(
    frustum: Frustum,
    points_m: Float[Tensor, "cameras h w candidates 3"],
    features: Float[Tensor, "cameras channels h w"],
    space: ContractedSpace,
    levels: tuple[int, int],
    valid: Bool[Tensor, "cameras h w"] | None = None,
) -> LiftedVoxels:
    """Averages what all cameras lift into each voxel (reference network, section 1.10).

    A candidate carries its pixel's feature times its occupancy p, and its logit. The first half of the channels
    goes to the coarse level, the second half to the fine one. The logit is affine in p, so its mean is a channel of
    ones times p, and nothing is ever held for each point but p.

    Args:
        frustum: Candidates of each pixel.
        points_m: Their positions in the ego frame.
        features: Pixel features.
        space: Contraction from the ego frame.
        levels: Octree levels (coarse, fine).
        valid: Pixels that are lifted; the others leave no trace in any voxel. None: all.

    Raises:
        QueryError: If no pixel is valid.
    """
    coarse_level, fine_level = levels
    candidates = frustum.occupancy.shape[-1]
    pixels = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    ones = torch.ones_like(pixels[:, :1])
    rows = torch.arange(len(pixels), device=pixels.device).repeat_interleave(candidates)
    half = features.shape[1] // 2
    points_m, weights = points_m.reshape(-1, 3), frustum.occupancy.reshape(-1)
    if valid is not None:
        kept = _kept_candidates(valid, rows)
        points_m, weights, rows = points_m[kept], weights[kept], rows[kept]
    groups = group_points(morton_encode(quantise(space.contract(points_m), fine_level)))
    pooled = []
    for group, content in (
        (groups.coarsen(fine_level - coarse_level), pixels[:, :half]),
        (groups, pixels[:, half:]),
    ):
        mean = pool_weighted_mean(group, weights, rows, torch.cat((content, ones), dim=1))
        # In place: the table of fine voxels is the largest thing that lifting holds.
        mean[:, -1].mul_(2.0).sub_(1.0).mul_(frustum.logit_limit)
        pooled.append(mean)
    return LiftedVoxels(build_structure(groups.keys, fine_level, coarse_level), fine=pooled[1], coarse=pooled[0])


def _kept_candidates(
    valid: Bool[Tensor, "cameras h w"], rows: Int64[Tensor, " candidates"]
) -> Bool[Tensor, " candidates"]:
    kept: Tensor = valid.reshape(-1)[rows]
    if not bool(kept.any()):
        raise QueryError("lens and ego masks leave no pixel of any camera; check the masks")
    return kept
