"""Building blocks of the published network (reference network, section 1.4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

OfficialNames = tuple[tuple[str, str], ...]
"""Pairs of a regular expression on a whole official key and the name in our module."""

LEAKY_SLOPE = 0.2
"""Slope of every leaky rectifier for negative values."""

OFFICIAL_NAMES: OfficialNames = (
    (r"conv1\.weight", "reduce.weight"),
    (r"conv2\.weight", "spatial.weight"),
    (r"conv3\.weight", "expand.weight"),
    (r"shortcut\.0\.weight", "shortcut.weight"),
)
"""Names of a `BottleneckBlock`."""


def nest_names(names: OfficialNames, official_prefix: str, prefix: str) -> OfficialNames:
    """Returns the names of a submodule as seen from the module that holds it.

    Args:
        names: Pairs relative to the submodule, whose expressions hold no groups if the prefix does.
        official_prefix: Regular expression of the submodule's place among the official keys.
        prefix: Its place in our module; may refer to groups of `official_prefix`.
    """
    return tuple((official_prefix + pattern, prefix + replacement) for pattern, replacement in names)


def instance_norm(x: Float[Tensor, "batch channels *size"]) -> Float[Tensor, "batch channels *size"]:
    """Normalises every channel of every sample by its own statistics; there are no parameters."""
    return nn.functional.instance_norm(x, eps=1e-5)


def leaky(x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Rectifies in place, leaking a fifth of negative values."""
    return nn.functional.leaky_relu(x, LEAKY_SLOPE, inplace=True)


class BottleneckBlock(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut, each followed by instance normalisation."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        self.spatial = nn.Conv2d(channels_out, channels_out, 3, stride=stride, padding=1, bias=False)
        self.expand = nn.Conv2d(channels_out, channels_out, 1, bias=False)
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False)

    def forward(self, x: Float[Tensor, "batch channels_in h w"]) -> Float[Tensor, "batch channels_out h_out w_out"]:
        """Returns relu(block(x) + shortcut(x))."""
        hidden = torch.relu_(instance_norm(self.reduce(x)))
        hidden = torch.relu_(instance_norm(self.spatial(hidden)))
        shortcut = x if self.shortcut is None else instance_norm(self.shortcut(x))
        return torch.relu_(instance_norm(self.expand(hidden)) + shortcut)
