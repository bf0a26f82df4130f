"""Stages of the published network written down directly, holding everything at once: what the lean forms must equal."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.model.compositing import march_samples
from distillnerf_core.model.depth_bins import depth_edges
from distillnerf_core.model.fine_depth import Frustum
from distillnerf_core.model.reference.blocks import instance_norm, leaky
from distillnerf_core.model.reference.fine import CandidateScorer
from distillnerf_core.model.renderer import RendererConfig
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.pooling import quantise


def score_candidates(
    scorer: CandidateScorer,
    features: Float[Tensor, "cameras channels h w"],
    distances_m: Float[Tensor, "cameras h w candidates"],
) -> Float[Tensor, "cameras h w candidates"]:
    """Embeds every candidate, multiplies by its pixel's feature, and convolves the product (reference network, 1.7)."""
    embedding = scorer.embedding_norm(scorer.embedding(distances_m[..., None]))
    product = features[:, :, None] * embedding.permute(0, 4, 3, 1, 2)
    hidden = leaky(instance_norm(scorer.gated(product)))
    hidden = leaky(instance_norm(scorer.hidden(hidden)))
    return torch.sigmoid(scorer.output(hidden)[:, 0]).permute(0, 2, 3, 1)


def pool_points(
    frustum: Frustum,
    points_m: Float[Tensor, "cameras h w candidates 3"],
    features: Float[Tensor, "cameras channels h w"],
    space: ContractedSpace,
    levels: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gives every point its own feature and logit in double, and averages them (reference network, 1.10).

    Returns:
        Keys and means of the fine voxels, then of the coarse ones, ascending in their keys.
    """
    half = features.shape[1] // 2
    carried = features.permute(0, 2, 3, 1)[..., None, :] * frustum.occupancy[..., None]
    logits = frustum.logits[..., None]
    cells = [quantise(space.contract(points_m.reshape(-1, 3)), level) for level in levels]
    coarse = torch.cat((carried[..., :half], logits), dim=-1).flatten(0, 3).double()
    coarse_keys, coarse_means = _scatter_mean(morton_encode(cells[0]), coarse)
    fine = torch.cat((carried[..., half:], logits), dim=-1).flatten(0, 3).double()
    fine_keys, fine_means = _scatter_mean(morton_encode(cells[1]), fine)
    return fine_keys, fine_means.float(), coarse_keys, coarse_means.float()


def _scatter_mean(
    keys: Int64[Tensor, " points"], values: Float[Tensor, "points channels"]
) -> tuple[Int64[Tensor, " voxels"], Float[Tensor, "voxels channels"]]:
    unique, voxel, counts = torch.unique(keys, return_inverse=True, return_counts=True)
    sums = values.new_zeros(len(unique), values.shape[1]).index_add_(0, voxel, values)
    return unique, sums / counts[:, None]


def render_densely(
    field: SceneField, origins_m: Float[Tensor, "rays 3"], directions: Float[Tensor, "rays 3"], config: RendererConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Looks every sample up by a search among the voxels' keys and composites all their features (1.12 and 1.13).

    Returns:
        Features, expected distance and opacity of each ray of the field's frame.
    """
    edges, far_m = depth_edges(config.bins), config.bins.far_m
    first = (0.5 * (edges[:-1] + edges[1:])).expand(len(origins_m), -1)
    weights = march_samples(field.logits[_search(field, origins_m, directions, first)], first, far_m).gap_weights
    center = first.gather(1, weights.argmax(dim=1, keepdim=True))
    offsets = torch.arange(config.importance_samples) - config.importance_samples // 2
    extra = (center + offsets * config.importance_step_range_m[0]).clamp(config.importance_near_m, far_m)
    distances = torch.cat((first, extra), dim=1).sort(dim=1).values
    rows = _search(field, origins_m, directions, distances)
    march = march_samples(field.logits[rows], distances, far_m)
    features = field.appearance[rows]
    between = 0.5 * (features[:, :-1] + features[:, 1:])
    composite = (march.gap_weights[..., None] * between).sum(dim=1)
    return composite, march.distance_m, march.opacity


def _search(
    field: SceneField,
    origins_m: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    distances_m: Float[Tensor, "rays samples"],
) -> Int64[Tensor, "rays samples"]:
    """Finds the row of each sample: its fine voxel's, else its coarse voxel's, else that of empty space."""
    structure = field.structure
    points = origins_m[:, None] + distances_m[..., None] * directions[:, None]
    keys = morton_encode(quantise(field.space.contract(points.view(-1, 3)), structure.fine_level))
    fine, fine_found = _find(structure.fine_keys, keys)
    coarse, coarse_found = _find(structure.coarse_keys, keys >> (3 * structure.jump))
    outside = torch.where(coarse_found, len(structure.fine_keys) + coarse, field.empty_row)
    return torch.where(fine_found, fine, outside).view(distances_m.shape)


def _find(keys: Int64[Tensor, " voxels"], wanted: Int64[Tensor, " points"]) -> tuple[Tensor, Tensor]:
    places = torch.searchsorted(keys, wanted).clamp_max(len(keys) - 1)
    return places, keys[places] == wanted
