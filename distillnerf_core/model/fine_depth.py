"""Second depth stage: candidates around the coarse depth, each with its own occupancy."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.configuration import Config
from distillnerf_core.model.compositing import RayDepth


class FineDepthConfig(Config):
    """Second depth stage.

    Attributes:
        offsets: First and last candidate, in steps from the coarse depth.
        relative_step: Step as a share of the coarse depth.
        step_range_m: Bounds of the step.
        hidden: Width of the candidate network.
        logit_limit: Density logits are limit * (2 p - 1) for occupancy p.
    """

    offsets: tuple[int, int] = (-3, 3)
    relative_step: float = 0.03
    step_range_m: tuple[float, float] = (0.08, 2.0)
    hidden: int = 16
    logit_limit: float = 12.0


@dataclass(frozen=True)
class Frustum:
    """What each pixel lifts into space.

    Attributes:
        distances_m: Distance of each candidate along the unit ray.
        occupancy: Share p in (0, 1) with which each candidate carries the pixel's feature.
        logit_limit: Density logits are limit * (2 p - 1).
    """

    distances_m: Float[Tensor, "cameras h w candidates"]
    occupancy: Float[Tensor, "cameras h w candidates"]
    logit_limit: float

    @property
    def logits(self) -> Float[Tensor, "cameras h w candidates"]:
        """Density logit of each candidate."""
        return self.logit_limit * (2.0 * self.occupancy - 1.0)


def depth_candidates(
    coarse_m: Float[Tensor, "*pixels"], config: FineDepthConfig
) -> Float[Tensor, "*pixels candidates"]:
    """Returns max(0, d + k * clamp(relative_step * d, step_range)) for the offsets k, metres."""
    first, last = config.offsets
    offsets = torch.arange(first, last + 1, device=coarse_m.device, dtype=coarse_m.dtype)
    step = (config.relative_step * coarse_m).clamp(*config.step_range_m)
    return torch.relu(coarse_m[..., None] + offsets * step[..., None])


class FineDepthEstimator(nn.Module):
    """Scores candidate depths by an embedding of each, gated by the pixel's feature (DistillNeRF, section 3.1).

    Args:
        channels: Channels of the image features.
        config: Candidates and widths.
    """

    def __init__(self, channels: int, config: FineDepthConfig) -> None:
        super().__init__()
        self.config = config
        hidden, count = config.hidden, config.offsets[1] - config.offsets[0] + 1
        self.pixel = nn.Conv2d(channels, hidden, 1)
        self.candidate = nn.Parameter(torch.randn(hidden, count))
        self.depth = nn.Conv2d(1, hidden, 1)
        self.mixer = nn.Sequential(
            nn.Conv3d(hidden, hidden, (3, 1, 1), padding=(1, 0, 0)),
            nn.SiLU(inplace=True),
            nn.Conv3d(hidden, 1, (3, 1, 1), padding=(1, 0, 0)),
        )

    def forward(
        self, features: Float[Tensor, "cameras channels h w"], coarse_m: Float[Tensor, "cameras h w"]
    ) -> Frustum:
        """Returns the candidates around the coarse distance with their occupancy.

        Positions carry no gradient; occupancies do.
        """
        pixel = self.pixel(features) + self.depth(coarse_m.detach().clamp_min(0.1).log()[:, None])
        gated = pixel[:, :, None] * self.candidate[None, :, :, None, None]
        occupancy = torch.sigmoid(self.mixer(gated)[:, 0]).permute(0, 2, 3, 1)
        return Frustum(depth_candidates(coarse_m.detach(), self.config), occupancy, self.config.logit_limit)


def one_stage_frustum(coarse: RayDepth, edges_m: Float[Tensor, " edges"], config: FineDepthConfig) -> Frustum:
    """Lifts from the first stage alone: its most likely intervals, weighted by their share (plain lift-splat).

    This is the baseline that the second stage is measured against.
    """
    count = config.offsets[1] - config.offsets[0] + 1
    midpoints = 0.5 * (edges_m[1:] + edges_m[:-1])
    top = coarse.weights.topk(count, dim=-1)
    order = top.indices.sort(dim=-1)
    occupancy = top.values.gather(-1, order.indices)
    occupancy = occupancy / occupancy.amax(dim=-1, keepdim=True).clamp_min(1e-6)
    return Frustum(midpoints[order.values], occupancy, config.logit_limit)
