"""Second depth stage of the published network (reference network, section 1.7)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.model.compositing import RayDepth, density_from_logit, render_intervals, soft_clamp
from distillnerf_core.model.fine_depth import FineDepthConfig, Frustum, depth_candidates
from distillnerf_core.model.reference import pyramid
from distillnerf_core.model.reference.blocks import LEAKY_SLOPE, OfficialNames, instance_norm, leaky, nest_names
from distillnerf_core.model.reference.coarse import FEATURE_CHANNELS
from distillnerf_core.model.reference.pyramid import ImagePyramid

CANDIDATES = FineDepthConfig(
    offsets=(-8, 6), relative_step=0.025, step_range_m=(0.05, 0.3), hidden=16, logit_limit=30.0
)
"""The published candidates: more of them nearer than the coarse depth than beyond it."""

FEATURE_LIMIT = 5.0
DEPTH_CHANNELS = 65

OFFICIAL_NAMES: OfficialNames = (
    *nest_names(pyramid.OFFICIAL_NAMES, "", "pyramid."),
    (r"combiner\.0\.(weight|bias)", r"fusion.0.\1"),
    (r"combiner\.3\.(weight|bias)", r"fusion.1.\1"),
    (r"featnet\.(\d)\.(weight|bias)", r"feature_head.\1.\2"),
    (r"depthnet\.(\d)\.(weight|bias)", r"depth_head.\1.\2"),
    (r"depth_feat_normalize\.(weight|bias)", r"depth_norm.\1"),
    (r"depth_expander\.0\.(weight|bias)", r"scorer.embedding.\1"),
    (r"depth_expander\.1\.(weight|bias)", r"scorer.embedding_norm.\1"),
    (r"feature_predictor\.0\.(weight|bias)", r"scorer.gated.\1"),
    (r"feature_predictor\.3\.(weight|bias)", r"scorer.hidden.\1"),
    (r"feature_predictor\.6\.(weight|bias)", r"scorer.output.\1"),
)
"""Names of a `FineDepthStage`, relative to `fine_mono_depth_estimator.`."""


@dataclass(frozen=True)
class FineEstimate:
    """What is lifted into space.

    Attributes:
        features: Feature of each pixel; a candidate carries it times its occupancy.
        frustum: Candidates of each pixel. Their distances keep the gradient to the coarse depth.
    """

    features: Float[Tensor, "cameras 64 h w"]
    frustum: Frustum


def candidate_convolution(channels_in: int, channels_out: int) -> nn.Conv3d:
    """Returns a convolution over each candidate and its two neighbours of the same pixel."""
    return nn.Conv3d(channels_in, channels_out, (3, 1, 1), padding=(1, 0, 0))


class CandidateScorer(nn.Module):
    """Occupancy of each candidate from its pixel's depth feature f times an embedding e of its distance d.

    e = LayerNorm(w d + b) lies in three directions whatever d: with w and b less their means over the channels,
    and b split into a part along w and the rest r, w d + b = w (d + s) + r, so that
    e = g w (d + s) / sigma(d) + g r / sigma(d) + h with the norm's weight g and bias h and
    sigma(d)^2 = (|w|^2 (d + s)^2 + |r|^2) / channels + eps.
    The first convolution of f e is then three (directions) by three (neighbours) maps of the pixel, convolved once
    for all candidates, weighted by the distances. [channels candidates h w] is never held.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(1, channels)
        self.embedding_norm = nn.LayerNorm(channels)
        self.gated = candidate_convolution(channels, width)
        self.hidden = candidate_convolution(width, width)
        self.output = candidate_convolution(width, 1)

    def forward(
        self,
        features: Float[Tensor, "cameras channels h w"],
        distances_m: Float[Tensor, "cameras h w candidates"],
    ) -> Float[Tensor, "cameras h w candidates"]:
        """Returns the occupancy in (0, 1) of candidates at these distances."""
        hidden = leaky(instance_norm(self._convolve_gated(features, distances_m.permute(0, 3, 1, 2))))
        hidden = leaky(instance_norm(self.hidden(hidden)))
        return torch.sigmoid(self.output(hidden)[:, 0]).permute(0, 2, 3, 1)

    def _embed(
        self, distances_m: Float[Tensor, "cameras candidates h w"]
    ) -> tuple[Float[Tensor, "3 channels"], Float[Tensor, "cameras 3 candidates h w"]]:
        """Returns the directions of the embedding and the share of each in that of every candidate."""
        slope = self.embedding.weight[:, 0] - self.embedding.weight.mean()
        offset = self.embedding.bias - self.embedding.bias.mean()
        power = slope.square().sum().clamp_min(torch.finfo(slope.dtype).tiny)
        shift = slope.dot(offset) / power
        rest = offset - shift * slope
        moved = distances_m + shift
        variance = (power * moved.square() + rest.square().sum()) / len(slope)
        inverse = torch.rsqrt(variance + self.embedding_norm.eps)
        gain = self.embedding_norm.weight
        directions = torch.stack((gain * slope, gain * rest, self.embedding_norm.bias))
        return directions, torch.stack((moved * inverse, inverse, torch.ones_like(inverse)), dim=1)

    def _convolve_gated(
        self,
        features: Float[Tensor, "cameras channels h w"],
        distances_m: Float[Tensor, "cameras candidates h w"],
    ) -> Float[Tensor, "cameras width candidates h w"]:
        """Returns the first convolution of feature times embedding."""
        directions, shares = self._embed(distances_m)
        weight = torch.einsum("oct,dc->dtoc", self.gated.weight[..., 0, 0], directions)
        maps = nn.functional.conv2d(features, weight.flatten(0, 2)[..., None, None]).chunk(9, dim=1)
        padded = nn.functional.pad(shares, (0, 0, 0, 0, 1, 1))
        bias = self.gated.bias
        assert bias is not None
        slices = []
        for candidate in range(distances_m.shape[1]):
            total = bias[:, None, None]
            near = padded[:, :, candidate : candidate + 3].flatten(1, 2)
            for share, term in zip(near.unbind(1), maps, strict=True):
                total = torch.addcmul(total, share[:, None], term)
            slices.append(total)
        return torch.stack(slices, dim=2)


class FineDepthStage(nn.Module):
    """Places candidates around the coarse depth and scores each.

    Args:
        config: Candidates.
    """

    def __init__(self, config: FineDepthConfig = CANDIDATES) -> None:
        super().__init__()
        self.config = config
        width = config.hidden
        self.pyramid = ImagePyramid(width, width)
        self.fusion = nn.ModuleList(
            nn.Conv2d(channels, 2 * width, 3, padding=1) for channels in (width + FEATURE_CHANNELS, 2 * width)
        )
        self.feature_head = self._head(width, FEATURE_CHANNELS)
        self.depth_head = self._head(width, DEPTH_CHANNELS)
        self.depth_norm = nn.LayerNorm(DEPTH_CHANNELS)
        self.scorer = CandidateScorer(DEPTH_CHANNELS, width)

    @staticmethod
    def _head(width: int, channels_out: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            nn.Conv2d(width, channels_out, 1),
        )

    def forward(
        self,
        images: Float[Tensor, "cameras 3 h w"],
        coarse_features: Float[Tensor, "cameras 64 h w"],
        coarse_m: Float[Tensor, "cameras h w"],
    ) -> FineEstimate:
        """Returns pixel features and candidates with their occupancy; candidates are scored camera by camera.

        Args:
            images: RGB in [0, 1].
            coarse_features: Features of the first stage.
            coarse_m: Distance along the unit ray that the first stage expects.
        """
        hidden = torch.cat((self.pyramid(images), coarse_features), dim=1)
        for convolution in self.fusion:
            hidden = leaky(instance_norm(convolution(hidden)))
        features = soft_clamp(self.feature_head(hidden), FEATURE_LIMIT)
        gates = self.depth_norm(self.depth_head(hidden).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        distances = depth_candidates(coarse_m, self.config)
        occupancy = torch.cat(
            [self.scorer(*camera) for camera in zip(torch.split(gates, 1), torch.split(distances, 1), strict=True)]
        )
        return FineEstimate(features, Frustum(distances, occupancy, self.config.logit_limit))


def fine_depth(frustum: Frustum) -> RayDepth:
    """Renders the candidates' mean logits on the intervals between them, for supervision only."""
    logits = frustum.logits
    density = density_from_logit(0.5 * (logits[..., 1:] + logits[..., :-1]))
    return render_intervals(density, frustum.distances_m)
