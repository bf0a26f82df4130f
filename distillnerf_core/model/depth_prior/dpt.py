"""The dense prediction head of Depth Anything v1 up to its last feature map (DPT without class-token readout)."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.configuration import Config


class DensePredictionConfig(Config):
    """Widths of the head; the defaults are those of the ViT-B model.

    Attributes:
        channels: Channels of the fused maps and of the result.
        level_channels: Channels of the four levels before fusion, finest first.
    """

    channels: int = 128
    level_channels: tuple[int, int, int, int] = (96, 192, 384, 768)


class FeatureLevel(nn.Module):
    """Projects a map of patches and brings it to the resolution of its level."""

    def __init__(self, source: int, width: int, resize: nn.Module, channels: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(source, width, 1)
        self.resize = resize
        self.lateral = nn.Conv2d(width, channels, 3, padding=1, bias=False)

    def forward(self, patches: Float[Tensor, "images source rows columns"]) -> Float[Tensor, "images channels h w"]:
        """Returns the level's contribution to the fusion."""
        output: Tensor = self.lateral(self.resize(self.projection(patches)))
        return output


class ResidualConvUnit(nn.Module):
    """Two pre-activated convolutions around which the input is carried."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "images channels h w"]) -> Float[Tensor, "images channels h w"]:
        """Adds the correction."""
        output: Tensor = self.second(F.relu(self.first(F.relu(x)))) + x
        return output


class FusionBlock(nn.Module):
    """Adds a level to what the coarser ones gave and raises the resolution.

    The coarsest block has nothing to add to; its lateral unit, which the weights contain, is not built.
    """

    def __init__(self, channels: int, coarsest: bool) -> None:
        super().__init__()
        self.lateral = None if coarsest else ResidualConvUnit(channels)
        self.refinement = ResidualConvUnit(channels)
        self.output = nn.Conv2d(channels, channels, 1)

    def forward(
        self,
        level: Float[Tensor, "images channels h w"],
        coarser: Float[Tensor, "images channels h w"] | None,
        size: tuple[int, int],
    ) -> Float[Tensor, "images channels height width"]:
        """Fuses at the level's resolution and interpolates to `size` (bilinear, corners aligned)."""
        fused = level if self.lateral is None or coarser is None else coarser + self.lateral(level)
        raised = F.interpolate(self.refinement(fused), size=size, mode="bilinear", align_corners=True)
        output: Tensor = self.output(raised)
        return output


class DensePrediction(nn.Module):
    """Fuses four maps of patches, from the deepest to the shallowest, into one map at eight times the patch grid."""

    def __init__(self, source: int, config: DensePredictionConfig) -> None:
        super().__init__()
        widths = config.level_channels
        resizes = (
            nn.ConvTranspose2d(widths[0], widths[0], 4, stride=4),
            nn.ConvTranspose2d(widths[1], widths[1], 2, stride=2),
            nn.Identity(),
            nn.Conv2d(widths[3], widths[3], 3, stride=2, padding=1),
        )
        self.levels = nn.ModuleList(
            FeatureLevel(source, width, resize, config.channels) for width, resize in zip(widths, resizes, strict=True)
        )
        coarsest = len(widths) - 1
        self.fusions = nn.ModuleList(FusionBlock(config.channels, i == coarsest) for i in range(len(widths)))

    def forward(
        self, patches: Sequence[Float[Tensor, "images source rows columns"]]
    ) -> Float[Tensor, "images channels height width"]:
        """Fuses the four maps of `VisionTransformer`, shallowest first; also known as path_1."""
        levels = [level(x) for level, x in zip(self.levels, patches, strict=True)]
        fused: Tensor | None = None
        for fusion in reversed(self.fusions):
            level = levels.pop()
            rows, columns = levels[-1].shape[-2:] if levels else (2 * level.shape[-2], 2 * level.shape[-1])
            fused = fusion(level, fused, (rows, columns))
        assert fused is not None
        return fused
