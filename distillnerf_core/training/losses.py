"""Terms of the training loss; each is a mean over what is known."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from distillnerf_core.evaluation.metrics import ssim_map
from distillnerf_core.language.classes import OBJECT_CLASSES, UNKNOWN
from distillnerf_core.model.compositing import RayDepth
from distillnerf_core.model.fine_depth import Frustum
from distillnerf_core.model.renderer import RenderedRays

_LEAST_SQUARE = 1e-6  # keeps the gradient of the root finite


def clamp_distance(distance_m: Float[Tensor, "*rays"], sky_m: float) -> Float[Tensor, "*rays"]:
    """Puts the sky (and what lies beyond) at a fixed distance, as the published training does (section 4.3)."""
    return distance_m.clamp(0.1, sky_m)


def masked_mean(values: Float[Tensor, "*items"], mask: Bool[Tensor, "*items"]) -> Float[Tensor, ""]:
    """Averages the masked values; zero where there are none."""
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp_min(1)


def weighted_mean(values: Float[Tensor, "*items"], weights: Float[Tensor, "*items"]) -> Float[Tensor, ""]:
    """Averages values with weights in [0, 1]; zero where there are none."""
    return (values * weights).sum() / weights.sum().clamp_min(1.0)


def color_loss(
    rendered: Float[Tensor, "images 3 height width"],
    picture: Float[Tensor, "images 3 height width"],
    trust: Float[Tensor, "images 1 height width"] | None = None,
    error: Literal["absolute", "rms"] = "absolute",
) -> Float[Tensor, ""]:
    """Averages the error of colours over the pixels, as far as they are trusted.

    The mean colour of what may be there has the least `rms`, the median the least `absolute` error.
    """
    return _mean_error(rendered - picture, torch.ones_like(rendered[:, :1]) if trust is None else trust, error)


def feature_loss(
    rendered: Float[Tensor, "images channels h w"],
    target: Float[Tensor, "images channels h w"],
    trust: Float[Tensor, "images 1 h w"] | None = None,
    error: Literal["absolute", "rms"] = "absolute",
) -> Float[Tensor, ""]:
    """Averages the error of rendered features over the pixels that are known, as far as they are trusted.

    The published loss is the mean absolute difference, over what is finite (reference network, section 4.1).

    Args:
        rendered: Features as the network renders them.
        target: Features of an image model, NaN where they are not known.
        trust: Weight of each pixel, 0 to 1.
        error: See :func:`color_loss`.
    """
    known = ~target.isnan().any(dim=1, keepdim=True)
    weight = known.to(rendered) if trust is None else known * trust
    return _mean_error(rendered - torch.where(known, target, 0.0), weight, error)


def _mean_error(
    differences: Float[Tensor, "images channels h w"],
    weights: Float[Tensor, "images 1 h w"],
    error: Literal["absolute", "rms"],
) -> Float[Tensor, ""]:
    errors = differences.abs() if error == "absolute" else differences.square()
    mean = weighted_mean(errors.mean(dim=1, keepdim=True), weights)
    return mean if error == "absolute" else (mean + _LEAST_SQUARE).sqrt()


def log_distance_loss(
    predicted_m: Float[Tensor, "*rays"], target_m: Float[Tensor, "*rays"], sky_m: float
) -> Float[Tensor, ""]:
    """Mean |log d - log d*|: the relative error, so that near and far count alike."""
    known = ~target_m.isnan()
    target = clamp_distance(target_m.nan_to_num(nan=1.0, posinf=sky_m), sky_m)
    return masked_mean((predicted_m.clamp(0.1, sky_m).log() - target.log()).abs(), known)


def interval_loss(
    coarse: RayDepth, edges_m: Float[Tensor, " edges"], target_m: Float[Tensor, "*rays"], sky_m: float
) -> Float[Tensor, ""]:
    """Negative log weight of the interval that holds the surface, shared with its two neighbours."""
    known = ~target_m.isnan()
    target = clamp_distance(target_m.nan_to_num(nan=1.0, posinf=sky_m), sky_m)
    last = coarse.weights.shape[-1] - 1
    index = (torch.searchsorted(edges_m, target.contiguous()) - 1).clamp(0, last)
    around = torch.stack(((index - 1).clamp_min(0), index, (index + 1).clamp_max(last)), dim=-1)
    shares = coarse.weights.gather(-1, around) @ coarse.weights.new_tensor([0.25, 1.0, 0.25])
    return masked_mean(-(shares + 1e-4).log(), known)


def opacity_loss(opacity: Float[Tensor, "*rays"]) -> Float[Tensor, ""]:
    """Binary cross entropy of the opacity against 1: every ray ends somewhere, at the latest in the sky."""
    return -(opacity.clamp(1e-4, 1.0)).log().mean()


def line_of_sight_loss(
    rendered: RenderedRays, target_m: Float[Tensor, " rays"], sky_m: float, margin: float = 0.05
) -> Float[Tensor, ""]:
    """Squared weight that a ray spends before the surface, up to a margin in proportion to the distance.

    Nothing stands between a sensor and what it measures (Urban Radiance Fields, equation 9, without its kernel).
    """
    known = ~target_m.isnan()
    target = clamp_distance(target_m.nan_to_num(nan=1.0, posinf=sky_m), sky_m)
    before = rendered.gap_middles_m < (1.0 - margin) * target[:, None]
    return masked_mean((rendered.gap_weights * before).sum(dim=1).square(), known)


def dissimilarity(
    predicted: Float[Tensor, "images 3 height width"], target: Float[Tensor, "images 3 height width"]
) -> Float[Tensor, ""]:
    """Half of one minus the structural similarity: 0 for equal pictures, at most 1."""
    return 0.5 * (1.0 - ssim_map(predicted, target).mean())


def weight_entropy(weights: Float[Tensor, "*rays gaps"]) -> Float[Tensor, ""]:
    """Mean entropy of the rendering weights: surfaces are thin."""
    safe = weights + 1e-10
    return -(safe * safe.log()).sum(dim=-1).mean()


def candidate_loss(frustum: Frustum, target_m: Float[Tensor, "*rays"], sky_m: float) -> Float[Tensor, ""]:
    """Occupancy of the depth candidates: occupied at the surface, empty before it and well behind it.

    A second term ranks the candidates of a pixel, so that the one nearest to the surface wins even where none is
    near.
    """
    known = ~target_m.isnan()
    target = clamp_distance(target_m.nan_to_num(nan=1.0, posinf=sky_m), sky_m)[..., None]
    distances = frustum.distances_m
    step = (distances[..., 1:] - distances[..., :-1]).amax(dim=-1, keepdim=True).clamp_min(0.02)
    ahead = distances < target - step
    at = (distances - target).abs() <= 0.75 * step
    behind = distances > target + torch.maximum(2.0 * step, torch.full_like(step, 0.6))
    loss = F.binary_cross_entropy(frustum.occupancy.clamp(1e-5, 1 - 1e-5), at.float(), reduction="none")
    weight = (ahead | at | behind).float()
    nearest = (distances - target).abs().argmin(dim=-1, keepdim=True)
    ranking = -F.log_softmax(frustum.logits, dim=-1).gather(-1, nearest)[..., 0]
    return masked_mean((loss * weight).sum(dim=-1) / weight.sum(dim=-1).clamp_min(1.0) + 0.3 * ranking, known)


def language_loss(
    features: Float[Tensor, "items channels"],
    labels: Int64[Tensor, " items"],
    class_features: Float[Tensor, "classes channels"],
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """Distance to the teacher's text embedding, and confusion with the other classes' embeddings.

    Args:
        features: Rendered or queried language features.
        labels: Class of each; 255 where unknown, 254 where known only to be none of the object classes.
        class_features: Unit text embeddings of the classes.
        temperature: Of the softmax over cosines.
    """
    named = labels < len(class_features)
    if not bool((labels != UNKNOWN).any()):
        return features.sum() * 0.0
    cosines = F.normalize(features, dim=-1, eps=1e-4) @ class_features.T
    log_shares = F.log_softmax(cosines / temperature, dim=-1)
    target = torch.where(named, labels, 0)
    own = log_shares.gather(1, target[:, None])[:, 0] + cosines.gather(1, target[:, None])[:, 0] - 1.0
    near = F.smooth_l1_loss(features, class_features[target], reduction="none").mean(dim=-1)
    objects = log_shares[:, list(OBJECT_CLASSES)].logsumexp(dim=-1)
    not_an_object = -torch.log1p(-objects.exp().clamp_max(1.0 - 1e-4))
    per_item = torch.where(named, near - own, not_an_object)
    return masked_mean(per_item, labels != UNKNOWN)
