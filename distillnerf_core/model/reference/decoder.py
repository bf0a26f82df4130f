"""Colour decoder of the published network (reference network, section 1.14)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.model.reference.blocks import OfficialNames, leaky

CAMERA_CLASSES = 3
CAMERA_CLASS = 1
"""The published network conditions on a class of camera, but every camera is of this one."""

OFFICIAL_NAMES: OfficialNames = (
    (r"cam_emb\.weight", "camera_embedding.weight"),
    (r"conv1\.0\.(weight|bias)", r"input.\1"),
    (r"convs\.(\d)\.0\.(weight|bias)", r"layers.\1.convolution.\2"),
    (r"convs\.(\d)\.1\.style\.(weight|bias)", r"layers.\1.style.\2"),
    (r"last_conv\.(weight|bias)", r"output.\1"),
)
"""Names of a `ReferenceDecoder`, relative to `decoder.`."""


class StyledConvolution(nn.Module):
    """3x3 convolution and group normalisation whose scale and shift come from a style."""

    def __init__(self, channels: int, style_channels: int, groups: int = 32) -> None:
        super().__init__()
        self.groups = groups
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)
        self.style = nn.Linear(style_channels, 2 * channels)
        with torch.no_grad():
            self.style.bias[:channels] = 1.0

    def forward(
        self, x: Float[Tensor, "cameras channels h w"], style: Float[Tensor, " style_channels"]
    ) -> Float[Tensor, "cameras channels h w"]:
        """Returns leaky(scale * norm(convolution(x)) + shift)."""
        scale, shift = self.style(style).chunk(2)
        return leaky(nn.functional.group_norm(self.convolution(x), self.groups, scale, shift, eps=1e-6))


class ReferenceDecoder(nn.Module):
    """Decodes rendered features (64 and a constant) to colour at twice their size.

    Args:
        channels: Channels of the rendered features.
        width: Channels of the hidden layers.
        style_channels: Channels of the camera embedding.
        layers: Hidden layers; the last works at twice the size.
    """

    def __init__(self, channels: int = 65, width: int = 160, style_channels: int = 32, layers: int = 4) -> None:
        super().__init__()
        self.camera_embedding = nn.Embedding(CAMERA_CLASSES, style_channels)
        self.input = nn.Conv2d(channels, width, 3, padding=1)
        self.layers = nn.ModuleList(StyledConvolution(width, style_channels) for _ in range(layers))
        self.output = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, features: Float[Tensor, "cameras channels h w"]) -> Float[Tensor, "cameras 3 height width"]:
        """Returns RGB, nominally in [0, 1] but not bounded, at twice the size of the features."""
        style = self.camera_embedding.weight[CAMERA_CLASS]
        hidden = leaky(self.input(features))
        for number, layer in enumerate(self.layers, start=1):
            hidden = layer(hidden, style)
            if number == len(self.layers) - 1:
                hidden = nn.functional.interpolate(hidden, scale_factor=2, mode="nearest")
        colors: Tensor = self.output(hidden)
        return colors
