"""Resizes distances that have holes and edges."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

_EDGE_SPREAD = 0.1
"""Relative spread of inverse distances, under one pixel, from which they are not averaged."""


def resize_distance(distance_m: Float[Tensor, "views rows columns"], height: int, width: int) -> Tensor:
    """Resizes distances along rays to [views height width]; NaN is unknown and never spreads.

    Inverse distances are averaged (the average is right on planes seen from afar) over the known pixels under the new
    one. Where these lie on both sides of an edge, the nearest one counts alone, since their mean would float between
    the surfaces; where less than half is known, so is nothing.
    """
    if distance_m.shape[-2:] == (height, width):
        return distance_m
    known = ~distance_m.isnan()
    inverse = torch.where(known, 1.0 / distance_m, 0.0)
    share = _average(known.float(), height, width)
    mean = _average(inverse, height, width) / share.clamp_min(1e-6)
    variance = _average(inverse.square(), height, width) / share.clamp_min(1e-6) - mean.square()
    edge = variance.clamp_min(0.0).sqrt() > _EDGE_SPREAD * mean
    nearest = interpolate(distance_m[:, None], (height, width), mode="nearest-exact")[:, 0]
    averaged = torch.where(share >= 0.5, 1.0 / mean.clamp_min(1e-6), torch.nan)
    return torch.where(edge & ~nearest.isnan(), nearest, averaged)


def _average(values: Float[Tensor, "views rows columns"], height: int, width: int) -> Tensor:
    return interpolate(values[:, None], (height, width), mode="bilinear", align_corners=False, antialias=True)[:, 0]
