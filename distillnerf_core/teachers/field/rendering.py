"""Volume rendering of a static and a moving part before a sky (sections 3.4 and 5)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.model.compositing import render_intervals

_TINY = 1e-6


@dataclass(frozen=True)
class PartSamples:
    """What the moving part has at some of the samples of the rays; a sample may come more than once.

    Attributes:
        index: Number of the sample, counted over all rays, of each entry.
        density: Density in 1/m.
        geometry: Feature from which the colour is decoded.
        shadow: Share of the light that the part takes from the static part there; zeros without shadows.
    """

    index: Int64[Tensor, " entries"]
    density: Float[Tensor, " entries"]
    geometry: Float[Tensor, "entries geometry"]
    shadow: Float[Tensor, " entries"]

    def added_to(self, values: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays samples"]:
        """Returns the sum with the density of the part."""
        return values.flatten().index_add(0, self.index, self.density).view(values.shape)


@dataclass(frozen=True)
class RenderedRays:
    """What rays see.

    Attributes:
        distance_m: Expected distance along the ray.
        median_m: Distance at which half of all light is stopped.
        opacity: Share of the light that is stopped.
        spread_m: Standard deviation of the distance at which the light is stopped.
        weights: Share of the light stopped in each interval.
        edges_m: Ends of the intervals.
        moving_opacity: Share of the light that is stopped by the moving part.
    """

    distance_m: Float[Tensor, " rays"]
    median_m: Float[Tensor, " rays"]
    opacity: Float[Tensor, " rays"]
    spread_m: Float[Tensor, " rays"]
    weights: Float[Tensor, "rays samples"]
    edges_m: Float[Tensor, "rays edges"]
    moving_opacity: Float[Tensor, " rays"]


@dataclass(frozen=True)
class Densities:
    """Density of both parts at the samples of rays, 1/m.

    Attributes:
        total: Sum of both.
        static_share: Share of the static part in it.
        moving: The moving part, where it is; None without one.
        moving_share: Share in the total of each of its entries.
    """

    total: Float[Tensor, "rays samples"]
    static_share: Float[Tensor, "rays samples"]
    moving: PartSamples | None
    moving_share: Float[Tensor, " entries"]

    @classmethod
    def of(cls, static: Float[Tensor, "rays samples"], moving: PartSamples | None) -> "Densities":
        """Adds a moving part: total = static + moving, shares of total + 1e-6."""
        if moving is None:
            return cls(static, torch.ones_like(static), None, static.new_zeros(0))
        total = moving.added_to(static)
        return cls(total, static / (total + _TINY), moving, moving.density / (total.flatten()[moving.index] + _TINY))

    def moving_weights(self, weights: Float[Tensor, "rays samples"]) -> Float[Tensor, " entries"]:
        """Returns the share of the light that each entry of the moving part stops."""
        if self.moving is None:
            return weights.new_zeros(0)
        return weights.flatten()[self.moving.index] * self.moving_share

    def sum_by_ray(self, values: Float[Tensor, "entries *channels"]) -> Float[Tensor, "rays *channels"]:
        """Adds values of the entries of the moving part up over each ray."""
        sums = values.new_zeros((len(self.total), *values.shape[1:]))
        if self.moving is None:
            return sums
        return sums.index_add(0, self.moving.index // self.total.shape[1], values)


def render_densities(densities: Densities, edges_m: Float[Tensor, "rays edges"]) -> RenderedRays:
    """Renders distances and opacities of both parts together.

    T_i = exp(-sum_{j<i} density_j length_j), w_i = T_i (1 - exp(-density_i length_i)), O = sum w,
    distance = sum w t / O.
    """
    rendered = render_intervals(densities.total, edges_m)
    middles = 0.5 * (edges_m[:, 1:] + edges_m[:, :-1])
    deviation = (rendered.weights * (middles - rendered.distance_m[:, None]).square()).sum(dim=1) / rendered.opacity
    return RenderedRays(
        distance_m=rendered.distance_m,
        median_m=median_distance(rendered.weights, middles),
        opacity=rendered.opacity,
        spread_m=deviation.clamp_min(0.0).sqrt(),
        weights=rendered.weights,
        edges_m=edges_m,
        moving_opacity=densities.sum_by_ray(densities.moving_weights(rendered.weights)),
    )


def median_distance(
    weights: Float[Tensor, "rays samples"], middles_m: Float[Tensor, "rays samples"]
) -> Float[Tensor, " rays"]:
    """Returns the middle of the first interval at which the sum of the weights reaches a half, or the last one."""
    reached = (weights.cumsum(dim=1) < 0.5).sum(dim=1, keepdim=True)
    return middles_m.gather(1, reached.clamp_max(weights.shape[1] - 1))[:, 0]


def composite_color(
    weights: Float[Tensor, "rays samples"],
    densities: Densities,
    static_color: Float[Tensor, "rays samples 3"],
    moving_color: Float[Tensor, "entries 3"],
    sky_color: Float[Tensor, "rays 3"],
) -> Float[Tensor, "rays 3"]:
    """Returns sum w (static share c_static (1 - h) + moving share c_moving) + (1 - O) c_sky, h the shadow."""
    light = weights * densities.static_share
    if densities.moving is not None:
        light = light * (1.0 - _spread(densities.moving.index, densities.moving.shadow, weights))
    color = (light[..., None] * static_color).sum(dim=1)
    color = color + densities.sum_by_ray(densities.moving_weights(weights)[:, None] * moving_color)
    opacity = weights.sum(dim=1, keepdim=True).clamp(_TINY, 1.0)
    return color + (1.0 - opacity) * sky_color


def _spread(index: Tensor, values: Tensor, like: Tensor) -> Tensor:
    return torch.zeros_like(like).flatten().index_add(0, index, values).clamp_max(1.0).view(like.shape)
