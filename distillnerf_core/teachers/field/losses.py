"""Terms of the field's loss (section 6)."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_LONGEST_M = 80.0


def color_loss(found: Float[Tensor, "rays 3"], true: Float[Tensor, "rays 3"]) -> Float[Tensor, ""]:
    """Mean squared error."""
    return (found - true).square().mean()


def sky_loss(opacity: Float[Tensor, " rays"], sky: Bool[Tensor, " rays"]) -> Float[Tensor, ""]:
    """Binary cross entropy of the opacity: 0 in the sky, 1 elsewhere; logarithms are bounded at -100."""
    return torch.nn.functional.binary_cross_entropy(opacity.clamp(0.0, 1.0), (~sky).to(opacity.dtype))


def range_loss(found_m: Float[Tensor, " rays"], true_m: Float[Tensor, " rays"]) -> Float[Tensor, ""]:
    """Mean |log d - log d*|: the relative error, so that near returns count as well (section 10, item 8)."""
    valid = (true_m > 0.01) & (true_m < _LONGEST_M)
    error = (found_m.clamp_min(0.01).log() - true_m.clamp_min(0.01).log()).abs()
    return torch.where(valid, error, 0.0).sum() / valid.sum().clamp_min(1)


def gaussian_mass(
    edges_m: Float[Tensor, "rays edges"], range_m: Float[Tensor, " rays"], margin_m: float
) -> Float[Tensor, "rays samples"]:
    """Returns the share of a Gaussian around the range, margin / 3 wide, in each interval (section 6.2, mass form)."""
    scaled = (edges_m - range_m[:, None]) * (3.0 / (margin_m * math.sqrt(2.0)))
    mass: Tensor = 0.5 * torch.special.erf(scaled).diff(dim=1)
    return mass


def line_of_sight_loss(
    weights: Float[Tensor, "rays samples"],
    middles_m: Float[Tensor, "rays samples"],
    target: Float[Tensor, "rays samples"],
    range_m: Float[Tensor, " rays"],
    margin_m: float,
) -> Float[Tensor, ""]:
    """Pulls the weights to nothing before a return, and to a target around it (section 6.2).

    Mean over rays of sum w^2 before range - margin, plus sum (w - target)^2 within the margin; times the share of
    rays with a return. What lies behind is not asked.

    Args:
        weights: Share of light stopped in each interval.
        middles_m: Middles of the intervals; no gradient flows into them.
        target: Wanted share of the intervals, see `gaussian_mass`.
        range_m: Measured range; 0 without a return.
        margin_m: Half width of the surroundings.
    """
    away = middles_m.detach() - range_m[:, None]
    empty = torch.where(away < -margin_m, weights.square(), 0.0)
    near = torch.where(away.abs() < margin_m, (weights - target).square(), 0.0)
    return (empty + near).sum(dim=1).mean() * (range_m > 0).to(weights.dtype).mean()
