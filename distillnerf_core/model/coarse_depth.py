"""First depth stage: a categorical density along each pixel's ray, volume-rendered."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.configuration import Config
from distillnerf_core.model.compositing import RayDepth, density_from_logit, render_intervals, soft_clamp
from distillnerf_core.model.depth_bins import DepthBinsConfig, depth_edges


class CoarseDepthConfig(Config):
    """First depth stage.

    Attributes:
        bins: Depth intervals.
        logit_limit: Soft bound of the density logits.
    """

    bins: DepthBinsConfig = DepthBinsConfig()
    logit_limit: float = 30.0


class CoarseDepthEstimator(nn.Module):
    """Predicts a density on every depth interval of every pixel (DistillNeRF, section 3.1).

    Args:
        channels: Channels of the image features.
        config: Depth intervals and bounds.

    Attributes:
        edges_m: Bounds of the intervals along the unit ray, metres, [bins + 1].
    """

    edges_m: Tensor

    def __init__(self, channels: int, config: CoarseDepthConfig) -> None:
        super().__init__()
        self.config = config
        edges = depth_edges(config.bins)
        self.register_buffer("edges_m", edges, persistent=False)
        intervals = edges[1:] - edges[:-1]
        self.head = nn.Conv2d(channels, len(intervals), 1)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            # The same optical depth on every interval, 1.5 in all, so that rays start out reaching far.
            assert self.head.bias is not None
            self.head.bias.copy_(1.0 + torch.log(1.5 / (len(intervals) * intervals)))

    def forward(self, features: Float[Tensor, "cameras channels h w"]) -> RayDepth:
        """Returns expected distance [cameras h w] along unit rays and the weights [cameras h w bins]."""
        logits = soft_clamp(self.head(features), self.config.logit_limit).permute(0, 2, 3, 1)
        return render_intervals(density_from_logit(logits), self.edges_m)
