"""Feature head of the published variants without colour (reference network, section 1.14)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.model.compositing import soft_clamp
from distillnerf_core.model.reference.blocks import OfficialNames

FEATURE_LIMIT = 10.0
ROWS_PER_PASS = 1 << 17

OFFICIAL_NAMES: OfficialNames = ((r"net\.(\d)\.(weight|bias)", r"layers.\1.\2"),)
"""Names of a `FeatureHead`, relative to `projector.volume_renderer.`."""


class FeatureHead(nn.Module):
    """Maps what voxels hold to compressed features of a foundation model, before compositing.

    The field is piecewise constant, so it is enough to map every distinct row of it once.
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.Sequential(
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, channels),
        )

    def forward(self, rows: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """Returns features softly bounded to +-10."""
        return torch.cat([soft_clamp(self.layers(part), FEATURE_LIMIT) for part in torch.split(rows, ROWS_PER_PASS)])
