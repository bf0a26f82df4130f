"""Convolution blocks of the image networks."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """3x3 convolution, group normalisation and SiLU.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output, a multiple of 8 (the groups).
        stride: Step in pixels.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
            nn.GroupNorm(8, channels_out),
            nn.SiLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two convolutions beside an identity.

    Args:
        channels: Channels of input and output, a multiple of 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNormAct(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.GroupNorm(8, channels))

    def forward(self, x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        """Returns silu(x + block(x))."""
        return torch.nn.functional.silu(x + self.second(self.first(x)))
