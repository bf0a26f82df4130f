"""From rendered features to colour at twice the resolution."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from distillnerf_core.configuration import Config
from distillnerf_core.model.blocks import ConvNormAct, ResidualBlock


class DecoderConfig(Config):
    """Colour decoder.

    Attributes:
        width: Channels of the hidden layers.
        blocks: Residual blocks before the up-sampling.
        kind: `convolutions`, or `linear`: colour is a linear function of each feature (an ablation of the paper).
    """

    width: int = 48
    blocks: int = 2
    kind: Literal["convolutions", "linear"] = "convolutions"


class ColorDecoder(nn.Module):
    """Convolutions over rendered features, pixel-shuffled to twice the size (DistillNeRF, section 3.3).

    Args:
        channels: Channels of the rendered features.
        config: Width and depth.
    """

    def __init__(self, channels: int, config: DecoderConfig) -> None:
        super().__init__()
        width = config.width
        self.body = nn.Sequential(ConvNormAct(channels, width), *(ResidualBlock(width) for _ in range(config.blocks)))
        self.upsample = nn.Sequential(nn.Conv2d(width, 4 * 24, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(inplace=True))
        self.output = nn.Conv2d(24, 3, 3, padding=1)

    def forward(self, features: Float[Tensor, "cameras channels h w"]) -> Float[Tensor, "cameras 3 height width"]:
        """Returns RGB in [0, 1] at twice the size of the features."""
        return torch.sigmoid(self.output(self.upsample(self.body(features))))


class LinearDecoder(nn.Module):
    """Colour that the field holds itself, up to a linear map, enlarged without looking at neighbours.

    Args:
        channels: Channels of the rendered features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.output = nn.Conv2d(channels, 3, 1)

    def forward(self, features: Float[Tensor, "cameras channels h w"]) -> Float[Tensor, "cameras 3 height width"]:
        """Returns RGB in [0, 1] at twice the size of the features."""
        return interpolate(torch.sigmoid(self.output(features)), scale_factor=2.0, mode="nearest")


def create_decoder(channels: int, config: DecoderConfig) -> ColorDecoder | LinearDecoder:
    """Creates the decoder that a configuration asks for."""
    return LinearDecoder(channels) if config.kind == "linear" else ColorDecoder(channels, config)
