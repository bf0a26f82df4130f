"""Volume rendering of a sparse field along rays, in two passes."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.configuration import Config
from distillnerf_core.model.compositing import march_samples, median_distance
from distillnerf_core.model.depth_bins import DepthBinsConfig, depth_edges


class RendererConfig(Config):
    """Sampling along rays.

    Attributes:
        bins: Intervals of the first pass; their midpoints are sampled.
        importance_samples: Samples of the second pass, centred on the strongest interval.
        importance_step: Spacing of the second pass, as a share of the distance.
        importance_step_range_m: Bounds of that spacing.
        importance_from_start: Centre the second pass on the strongest interval's first sample, not on its middle.
        importance_near_m: Nearest sample of the second pass.
        negligible: Samples with less weight than this are not composited; together they are below the rounding of an
            image.
        chunk_rays: Rays rendered at once.
    """

    bins: DepthBinsConfig = DepthBinsConfig(count=112)
    importance_samples: int = 20
    importance_step: float = 0.006
    importance_step_range_m: tuple[float, float] = (0.05, 1.0)
    importance_from_start: bool = False
    importance_near_m: float = 0.6
    negligible: float = 1e-4
    chunk_rays: int = 4096


@runtime_checkable
class RadianceField(Protocol):
    """What the renderer needs of a field: row numbers of points, and tables with one entry a row."""

    @property
    def logits(self) -> Tensor:
        """Density logit of each row."""

    @property
    def empty_row(self) -> int:
        """Row of empty space."""

    def rows_of_axes(
        self, x_m: Float[Tensor, "*batch"], y_m: Float[Tensor, "*batch"], z_m: Float[Tensor, "*batch"]
    ) -> Int64[Tensor, "*batch"]:
        """Finds the row that describes each point, its coordinates being separate tensors."""


@dataclass(frozen=True)
class RenderedRays:
    """What rays see.

    Attributes:
        distance_m: Expected distance along the unit ray; differentiable.
        median_m: Distance at which half of the stopped light is stopped; carries no gradient.
        opacity: Share of light stopped by the field.
        features: Composite of the content table.
        gap_weights: Weight of each gap between neighbouring samples.
        gap_middles_m: Distance of the middle of each gap.
    """

    distance_m: Float[Tensor, " rays"]
    median_m: Float[Tensor, " rays"]
    opacity: Float[Tensor, " rays"]
    features: Float[Tensor, "rays channels"]
    gap_weights: Float[Tensor, "rays gaps"]
    gap_middles_m: Float[Tensor, "rays gaps"]


def render_rays(
    field: RadianceField,
    content: Float[Tensor, "rows channels"],
    origins_m: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    config: RendererConfig,
    jitter: bool = False,
) -> RenderedRays:
    """Renders rays through the field (DistillNeRF, section 3.3; reference network, section 1.13).

    The first pass samples the whole ray and finds its strongest interval; the second adds samples around it; both
    sets together are composited.

    Args:
        field: Where the densities are.
        content: Feature of each row to composite, zero for empty space.
        origins_m: Ray origins, ego frame.
        directions: Unit directions, ego frame.
        config: Sampling.
        jitter: Draw the first pass at random within its intervals, for training.
    """
    edges = depth_edges(config.bins).to(origins_m.device)
    with torch.no_grad():
        first = _first_pass(len(origins_m), edges, jitter)
        first_rows = _rows(field, origins_m, directions, first)
        march = march_samples(field.logits[first_rows], first, config.bins.far_m)
        extra = _importance_samples(first, march.gap_weights, config)
        extra_rows = _rows(field, origins_m, directions, extra)
        distances, order = torch.cat((first, extra), dim=1).sort(dim=1)
        rows = torch.cat((first_rows, extra_rows), dim=1).gather(1, order)
    march = march_samples(field.logits[rows], distances, config.bins.far_m)
    features = _composite(content, rows, march.sample_weights, field.empty_row, config.negligible)
    median = median_distance(march.gap_weights.detach(), distances)
    middles = 0.5 * (distances[:, 1:] + distances[:, :-1])
    return RenderedRays(march.distance_m, median, march.opacity, features, march.gap_weights, middles)


def _first_pass(rays: int, edges: Tensor, jitter: bool) -> Tensor:
    spans = edges[1:] - edges[:-1]
    where = torch.rand(rays, len(spans), device=edges.device) if jitter else edges.new_full((rays, len(spans)), 0.5)
    return edges[:-1] + where * spans


def _importance_samples(distances: Tensor, gap_weights: Tensor, config: RendererConfig) -> Tensor:
    strongest = gap_weights.argmax(dim=1, keepdim=True)
    center = distances.gather(1, strongest)
    if not config.importance_from_start:
        center = 0.5 * (center + distances.gather(1, strongest + 1))
    step = (config.importance_step * center).clamp(*config.importance_step_range_m)
    offsets = torch.arange(config.importance_samples, device=distances.device) - config.importance_samples // 2
    return (center + offsets * step).clamp(config.importance_near_m, config.bins.far_m)


def _rows(field: RadianceField, origins_m: Tensor, directions: Tensor, distances_m: Tensor) -> Tensor:
    axes = [origins_m[:, axis, None] + distances_m * directions[:, axis, None] for axis in range(3)]
    return field.rows_of_axes(*axes)


def _composite(content: Tensor, rows: Tensor, weights: Tensor, empty_row: int, negligible: float) -> Tensor:
    """Sums weights times content over each ray, reading only samples that matter; empty space holds zeros."""
    if not content.shape[1]:
        # PyTorch's kernel fails on tables without columns as soon as it shares the work among threads.
        return weights.new_zeros(len(rows), 0)
    counted = (rows != empty_row) & (weights.detach() > negligible)
    offsets = torch.nn.functional.pad(counted.sum(dim=1).cumsum(0), (1, 0))
    return torch.nn.functional.embedding_bag(
        rows[counted],
        content,
        offsets,
        mode="sum",
        per_sample_weights=weights[counted],
        include_last_offset=True,
    )
