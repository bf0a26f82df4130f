"""First depth stage of the published network (reference network, section 1.5)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.model.compositing import RayDepth, density_from_logit, render_intervals, soft_clamp
from distillnerf_core.model.depth_bins import DepthBinsConfig, depth_edges
from distillnerf_core.model.reference import blocks, pyramid
from distillnerf_core.model.reference.blocks import (
    LEAKY_SLOPE,
    BottleneckBlock,
    OfficialNames,
    instance_norm,
    leaky,
    nest_names,
)
from distillnerf_core.model.reference.pyramid import ImagePyramid

PRIOR_CHANNELS = 128
FEATURE_CHANNELS = 64
LOGIT_LIMIT = 30.0

OFFICIAL_NAMES: OfficialNames = (
    *nest_names(pyramid.OFFICIAL_NAMES, "", "pyramid."),
    *nest_names(blocks.OFFICIAL_NAMES, r"depth_feature_combiner\.combiner\.(\d)\.", r"fusion.\1."),
    (r"depth_feature_combiner\.parameter_layer\.0\.(weight|bias)", r"correction.\1"),
    (r"depth_feature_combiner\.last_layer\.0\.(weight|bias)", r"projection.\1"),
    (r"depthnet\.(\d)\.(weight|bias)", r"density_head.\1.\2"),
)
"""Names of a `CoarseDepthStage`, relative to `coarse_monodepth_estimator.`."""


@dataclass(frozen=True)
class CoarseEstimate:
    """What the first stage hands to the second.

    Attributes:
        features: Features at the size of the images.
        distance_m: Expected distance along unit rays.
    """

    features: Float[Tensor, "cameras 64 h w"]
    distance_m: Float[Tensor, "cameras h w"]


class CoarseDepthStage(nn.Module):
    """Corrects the features of a depth prior by those of an image pyramid, and renders a density along each ray.

    Args:
        bins: Depth intervals.
    """

    edges_m: Tensor

    def __init__(self, bins: DepthBinsConfig) -> None:
        super().__init__()
        edges = depth_edges(bins)
        self.register_buffer("edges_m", edges, persistent=False)
        channels = FEATURE_CHANNELS
        self.pyramid = ImagePyramid(channels, channels)
        self.fusion = nn.Sequential(
            BottleneckBlock(channels + PRIOR_CHANNELS, PRIOR_CHANNELS), BottleneckBlock(PRIOR_CHANNELS, PRIOR_CHANNELS)
        )
        self.correction = nn.Conv2d(PRIOR_CHANNELS, PRIOR_CHANNELS, 1)
        self.projection = nn.Conv2d(PRIOR_CHANNELS, channels, 1)
        self.density_head = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            nn.Conv2d(channels, len(edges) - 1, 1),
        )

    def forward(
        self, images: Float[Tensor, "cameras 3 h w"], prior_features: Float[Tensor, "cameras 128 h w"]
    ) -> CoarseEstimate:
        """Returns features and distances.

        The images pass the convolutions together: instance normalisation of a few pixels amplifies rounding, so that
        even the order of additions shows in the result. Rays are rendered camera by camera, and what their intervals
        weigh, 28 MiB a camera, is let go.

        Args:
            images: RGB in [0, 1].
            prior_features: Features of the depth prior at the size of the images.
        """
        hidden = self.fusion(torch.cat((self.pyramid(images), prior_features), dim=1))
        corrected = prior_features + instance_norm(self.correction(hidden))
        features = leaky(self.projection(corrected))
        distances = [self.render(camera).distance_m for camera in torch.split(features, 1)]
        return CoarseEstimate(features, torch.cat(distances))

    def render(self, features: Float[Tensor, "cameras 64 h w"]) -> RayDepth:
        """Renders the density of each ray from the features, with the weight of every interval (for supervision)."""
        logits = soft_clamp(self.density_head(features), LOGIT_LIMIT).permute(0, 2, 3, 1)
        return render_intervals(density_from_logit(logits), self.edges_m)
