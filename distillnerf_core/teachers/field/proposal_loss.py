"""Trains the proposals to lie above the blurred weights of the field (section 4.4; zip-NeRF)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

BLUR_HALF_WIDTHS = (0.03, 0.003)
_BLOCK_RAYS = 2048


@dataclass(frozen=True)
class SampledRound:
    """The intervals of one round.

    Attributes:
        edges: Positions in [0, 1] along the ray.
        cumulative: Share of light stopped before each edge.
    """

    edges: Float[Tensor, "rays edges"]
    cumulative: Float[Tensor, "rays edges"]


def proposal_loss(target: SampledRound, rounds: Sequence[SampledRound]) -> Float[Tensor, ""]:
    """Sums over the rounds the mean of max(w - w', 0)^2 / (w' + 1e-5).

    w is the target's share in an interval after it was blurred by a box, w' the proposal's; no gradient flows into
    the target.
    """
    losses = [
        _excess(target, proposed, half_width)
        for proposed, half_width in zip(rounds, BLUR_HALF_WIDTHS[-len(rounds) :], strict=True)
    ]
    return torch.stack(losses).sum()


def blurred_cumulative(target: SampledRound, half_width: float, at: Float[Tensor, "rays x"]) -> Float[Tensor, "rays x"]:
    """Returns the cumulative share after a convolution with a box: (I(x + r) - I(x - r)) / 2r.

    I(x) = 1/2 sum_i p_i (max(x - s_i, 0)^2 - max(x - s_{i+1}, 0)^2) is the integral of the cumulative share.
    """
    lengths = (target.edges[:, 1:] - target.edges[:, :-1]).clamp_min(1e-12)
    density = (target.cumulative[:, 1:] - target.cumulative[:, :-1]) / lengths
    away = at[:, :, None] - target.edges[:, None, :]
    outer, inner = (away + half_width).clamp_min(0.0), (away - half_width).clamp_min(0.0)
    # The difference of the squares, factored: it cancels less.
    ramps = (outer - inner) * (outer + inner) / (4.0 * half_width)
    return torch.einsum("rxi,ri->rx", ramps[..., :-1] - ramps[..., 1:], density)


def _excess(target: SampledRound, proposed: SampledRound, half_width: float) -> Tensor:
    with torch.no_grad():
        blocks = [
            blurred_cumulative(SampledRound(edges, cumulative), half_width, at)
            for edges, cumulative, at in zip(
                torch.split(target.edges, _BLOCK_RAYS),
                torch.split(target.cumulative, _BLOCK_RAYS),
                torch.split(proposed.edges, _BLOCK_RAYS),
                strict=True,
            )
        ]
        wanted = torch.cat(blocks).diff(dim=1)
    found = proposed.cumulative.diff(dim=1)
    return ((wanted - found).clamp_min(0.0).square() / (found + 1e-5)).mean()
