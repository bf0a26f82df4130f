"""Language features as colours, by a projection that stays the same for every frame of a checkpoint."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

_MARGIN = 0.1
"""Share of the classes' spread by which the range of colours exceeds it."""


@dataclass(frozen=True)
class FeatureColors:
    """A projection of unit features to red, green and blue.

    Attributes:
        basis: Directions of the three colours.
        lower: Projection that becomes 0.
        upper: Projection that becomes 1.
    """

    basis: Float[Tensor, "channels 3"]
    lower: Float[Tensor, " 3"]
    upper: Float[Tensor, " 3"]

    def paint(self, features: Float[Tensor, "cameras channels h w"]) -> Float[Tensor, "cameras 3 h w"]:
        """Returns colours in [0, 1]."""
        basis, lower, upper = (value.to(features) for value in (self.basis, self.lower, self.upper))
        values = torch.einsum("nchw,ck->nkhw", normalize(features, dim=1), basis)
        lower, upper = lower[:, None, None], upper[:, None, None]
        return ((values - lower) / (upper - lower)).clamp(0.0, 1.0)


def class_colors(class_features: Float[Tensor, "classes channels"]) -> FeatureColors:
    """Chooses the projection under which the classes lie farthest apart: their three principal components.

    Args:
        class_features: Unit features of at least four classes.
    """
    centered = (class_features - class_features.mean(dim=0)).cpu().double()
    directions = torch.linalg.svd(centered, full_matrices=False).Vh[:3].T
    # A component's sign is arbitrary; fixed here, so that colours do not change from machine to machine.
    strongest = directions.abs().argmax(dim=0, keepdim=True)
    basis = (directions * directions.gather(0, strongest).sign()).to(class_features)
    return _spread(basis, class_features @ basis)


def channel_colors(channels: int) -> FeatureColors:
    """Returns the projection of features of which no classes are known: their first three channels."""
    basis = torch.eye(channels, 3)
    return FeatureColors(basis, torch.full((3,), -0.5), torch.full((3,), 0.5))


def _spread(basis: Tensor, values: Tensor) -> FeatureColors:
    lower, upper = values.amin(dim=0), values.amax(dim=0)
    margin = _MARGIN * (upper - lower)
    return FeatureColors(basis, lower - margin, upper + margin)
