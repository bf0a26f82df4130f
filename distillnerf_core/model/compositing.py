"""Volume rendering along rays as pure functions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

DENSITY_SHIFT = 1.0
"""Density is exp(logit - 1) everywhere, so a zero logit is thin but not empty."""


def density_from_logit(logit: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Returns the density in 1/m of a density logit."""
    return torch.exp(logit - DENSITY_SHIFT)


def soft_clamp(x: Float[Tensor, "*batch"], limit: float) -> Float[Tensor, "*batch"]:
    """Bounds a value smoothly to +-limit: limit * tanh(x / limit)."""
    return limit * torch.tanh(x / limit)


@dataclass(frozen=True)
class RayDepth:
    """A depth estimate rendered from densities on intervals.

    Attributes:
        distance_m: Expected distance, normalised by the opacity.
        weights: Share of light stopped in each interval.
        opacity: Sum of the weights.
    """

    distance_m: Float[Tensor, "*rays"]
    weights: Float[Tensor, "*rays intervals"]
    opacity: Float[Tensor, "*rays"]


def render_intervals(density: Float[Tensor, "*rays intervals"], edges_m: Float[Tensor, "*shared edges"]) -> RayDepth:
    """Renders piecewise constant densities (reference network, section 1.5).

    alpha_i = 1 - exp(-density_i delta_i), T_i = exp(-sum_{j<i} density_j delta_j), w_i = alpha_i T_i,
    distance = sum w_i m_i / sum w_i with interval midpoints m_i.

    Args:
        density: Density in 1/m on each interval.
        edges_m: Interval edges; one set for all rays, or one for each.
    """
    starts, ends = edges_m[..., :-1], edges_m[..., 1:]
    optical = density * (ends - starts)
    weights = (1.0 - torch.exp(-optical)) * torch.exp(-_passed(optical))
    opacity = weights.sum(dim=-1).clamp(1e-6, 1.0)
    distance = (weights * (0.5 * (starts + ends))).sum(dim=-1) / opacity
    return RayDepth(distance, weights, opacity)


@dataclass(frozen=True)
class MarchedRays:
    """Result of marching through point samples.

    Attributes:
        distance_m: Expected distance.
        opacity: Share of light that was stopped.
        gap_weights: Weight of each gap between neighbouring samples.
        sample_weights: Weight of each sample's feature: half of each neighbouring gap.
    """

    distance_m: Float[Tensor, " rays"]
    opacity: Float[Tensor, " rays"]
    gap_weights: Float[Tensor, "rays gaps"]
    sample_weights: Float[Tensor, "rays samples"]


def median_distance(
    gap_weights: Float[Tensor, "rays gaps"], distances_m: Float[Tensor, "rays samples"]
) -> Float[Tensor, " rays"]:
    """Returns where half of the light that a ray loses is lost, linear within a gap.

    At the edge of an object the expected distance lies in the air between it and what is behind it; the median
    lies on one of the two.

    Args:
        gap_weights: Weight of each gap between neighbouring samples.
        distances_m: Increasing distances of the samples.
    """
    passed = gap_weights.cumsum(dim=-1)
    half = 0.5 * passed[:, -1:]
    gap = torch.searchsorted(passed, half).clamp_max(gap_weights.shape[1] - 1)
    weight = gap_weights.gather(1, gap)
    share = 1.0 - ((passed.gather(1, gap) - half) / weight.clamp_min(1e-20)).clamp(0.0, 1.0)
    start, end = distances_m.gather(1, gap), distances_m.gather(1, gap + 1)
    return (start + share * (end - start))[:, 0]


def march_samples(
    logits: Float[Tensor, "rays samples"], distances_m: Float[Tensor, "rays samples"], far_m: float
) -> MarchedRays:
    """Marches along rays sampled at points (reference network, section 1.13).

    Neighbouring logits are averaged to a density on the gap between them; a feature f_j then has the
    composite weight (w_{j-1} + w_j) / 2, which saves averaging features.

    Args:
        logits: Density logits at the samples.
        distances_m: Increasing distances of the samples.
        far_m: Upper bound of the returned distance.
    """
    gaps = distances_m[:, 1:] - distances_m[:, :-1]
    density = density_from_logit(0.5 * (logits[:, 1:] + logits[:, :-1]))
    optical = density * gaps
    alpha = 1.0 - torch.exp(-optical)
    # The reference keeps 1e-10 of light behind an opaque gap; the sum of optical depths does the same bounded.
    light = torch.exp(-_passed(optical).clamp_max(23.0))
    weights = (alpha + 1e-10) * light
    opacity = weights.sum(dim=-1)
    midpoints = 0.5 * (distances_m[:, 1:] + distances_m[:, :-1])
    distance = (weights * midpoints).sum(dim=-1) / (opacity + 1e-10)
    halves = torch.nn.functional.pad(0.5 * weights, (1, 1))
    return MarchedRays(distance.clamp(1e-5, far_m), opacity, weights, halves[:, 1:] + halves[:, :-1])


def _passed(optical: Float[Tensor, "*rays intervals"]) -> Float[Tensor, "*rays intervals"]:
    """Returns the optical depth before each interval; cumsum minus itself would cancel behind an opaque one."""
    return torch.nn.functional.pad(torch.cumsum(optical[..., :-1], dim=-1), (1, 0))
