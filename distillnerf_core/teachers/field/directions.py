"""Frequency code of view directions (section 3.3)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

OCTAVES = 5
CODE_WIDTH = 3 + 2 * 3 * OCTAVES


def encode_directions(directions: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch code"]:
    """Returns (d, sin(2^k d), sin(2^k d + pi/2)), k = 0..4, 33 numbers; no gradient flows into it."""
    with torch.no_grad():
        powers = 2.0 ** torch.arange(OCTAVES, device=directions.device, dtype=directions.dtype)
        scaled = (powers[:, None] * directions[..., None, :]).flatten(-2)
        return torch.cat((directions, scaled.sin(), (scaled + 0.5 * math.pi).sin()), dim=-1)
