"""Procedural patterns that fade out before they become finer than a pixel."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

_EDGE = 32


@lru_cache(maxsize=4)
def _lattice(device: torch.device) -> Float[Tensor, " values"]:
    generator = torch.Generator().manual_seed(20240817)
    return torch.rand(_EDGE**3, generator=generator).to(device)


def value_noise(
    x: Float[Tensor, " points"], y: Float[Tensor, " points"], z: Float[Tensor, " points"] | None = None
) -> Float[Tensor, " points"]:
    """Returns smooth noise with features of size one and mean 0.5, in 2D or 3D, values in [0, 1]."""
    axes = (x, y) if z is None else (x, y, z)
    table = _lattice(x.device)
    corners = [(torch.zeros_like(x, dtype=torch.long), torch.ones_like(x))]
    for axis in axes:
        cell = axis.floor()
        part = axis - cell
        smooth = part * part * (3.0 - 2.0 * part)
        low = cell.long() % _EDGE
        high = (low + 1) % _EDGE
        corners = [
            (index * _EDGE + end, weight * share)
            for index, weight in corners
            for end, share in ((low, 1.0 - smooth), (high, smooth))
        ]
    total = torch.zeros_like(x)
    for index, weight in corners:
        total = total + weight * table[index]
    return total


def cell_noise(x: Float[Tensor, " points"], y: Float[Tensor, " points"]) -> Float[Tensor, " points"]:
    """Returns one random number in [0, 1) for each unit cell."""
    index = (x.floor().long() % _EDGE) * _EDGE + y.floor().long() % _EDGE
    return _lattice(x.device)[index + 7 * _EDGE * _EDGE]


def faded(
    noise: Float[Tensor, " points"], feature: float | Float[Tensor, " points"], footprint: Float[Tensor, " points"]
) -> Float[Tensor, " points"]:
    """Blends noise towards its mean where the pixel footprint exceeds the feature size (same units)."""
    keep = (1.5 - footprint / feature).clamp(0.0, 1.0)
    return 0.5 + (noise - 0.5) * keep


def pulse(
    x: Float[Tensor, " points"], duty: float | Float[Tensor, " points"], footprint: Float[Tensor, " points"]
) -> Float[Tensor, " points"]:
    """Returns a wave of period one that is 1 in the first `duty` of it, box-filtered over the footprint."""
    width = footprint.clamp(min=1e-4)

    def integral(at: Tensor) -> Tensor:
        """Returns the integral of the sharp wave from 0 to each position."""
        whole = at.floor()
        return whole * duty + torch.minimum(at - whole, torch.as_tensor(duty, device=at.device))

    return (integral(x + width / 2) - integral(x - width / 2)) / width


def band(
    x: Float[Tensor, " points"], low: float, high: float, footprint: Float[Tensor, " points"]
) -> Float[Tensor, " points"]:
    """Returns 1 where low < x < high, box-filtered over the footprint."""
    width = footprint.clamp(min=1e-4)
    overlap = torch.minimum(x + width / 2, torch.full_like(x, high)) - (x - width / 2).clamp(min=low)
    return (overlap / width).clamp(0.0, 1.0)


def mix(
    first: Float[Tensor, "#points 3"], second: Float[Tensor, "#points 3"], share: Float[Tensor, " points"]
) -> Float[Tensor, "points 3"]:
    """Blends two colours; `share` is the part of the second."""
    return first + (second - first) * share[:, None]
