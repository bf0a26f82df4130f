"""Learned perceptual image patch similarity (Zhang et al. 2018): distance of pictures by features of a classifier."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_LEAST_LENGTH = 1e-10


class Lpips(nn.Module):
    """d(x, y) = sum over stages of the mean over pixels of w . (f(x) / |f(x)| - f(y) / |f(y)|)^2, equation 1.

    All weights are frozen.

    Args:
        stages: Layers of the classifier; each stage continues where the one before ended.
        weights: Weight of each channel of each stage's features, not negative.
        least_px: Smallest side of pictures that all stages can look at.

    Attributes:
        least_px: As given.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, stages: Sequence[nn.Module], weights: Sequence[Float[Tensor, " _"]], least_px: int = 1) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.least_px = least_px
        self.register_buffer("shift", torch.tensor(_SHIFT).view(3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(3, 1, 1))
        for number, weight in enumerate(weights):
            self.register_buffer(f"weight_{number}", weight)
        self.eval().requires_grad_(False)

    def forward(
        self, first: Float[Tensor, "images 3 height width"], second: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, " images"]:
        """Returns the distance of each pair of pictures; 0 for equal ones.

        Args:
            first: RGB, about in [0, 1]; the classifier's own scale is applied here.
            second: The same.
        """
        # Differences of features this small are lost in 16 bits.
        with torch.autocast(first.device.type, enabled=False):
            both = (2.0 * torch.cat((first, second)).float() - 1.0 - self.shift) / self.scale
            distance = both.new_zeros(len(first))
            for number, stage in enumerate(self.stages):
                both = stage(both)
                length = torch.linalg.vector_norm(both, dim=1, keepdim=True)
                one, other = (both / (length + _LEAST_LENGTH)).chunk(2)
                weight = self.get_buffer(f"weight_{number}")
                distance = distance + torch.einsum("nchw,c->nhw", (one - other).square(), weight).mean(dim=(1, 2))
        return distance
