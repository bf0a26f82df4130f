"""Draws intervals along rays where a density estimate stops the light (section 4.2)."""

import torch
from jaxtyping import Float
from torch import Tensor


def cumulative_share(
    density: Float[Tensor, "rays intervals"], edges_m: Float[Tensor, "rays edges"]
) -> Float[Tensor, "rays edges"]:
    """Returns at each edge the share of light stopped before it; all that remains is stopped in the last interval."""
    optical = density * (edges_m[:, 1:] - edges_m[:, :-1])
    passed = torch.nn.functional.pad(optical[:, :-1].cumsum(dim=-1), (1, 0))
    return 1.0 - torch.nn.functional.pad(torch.exp(-passed), (0, 1))


def resample(
    edges: Float[Tensor, "rays edges"],
    cumulative: Float[Tensor, "rays edges"],
    count: int,
    phase: Float[Tensor, "rays 1"],
) -> Float[Tensor, "rays new_edges"]:
    """Draws intervals of equal share.

    Centres lie where the cumulative share reaches C_0 + (i + phase)(C_E - C_0) / n; edges lie half way between them.

    Args:
        edges: Ascending positions.
        cumulative: Share at each edge.
        count: Intervals to draw.
        phase: In [0, 1], one for all samples of a ray; a half without randomness.
    """
    first, last = cumulative[:, :1], cumulative[:, -1:]
    number = torch.arange(count, device=edges.device, dtype=edges.dtype)
    wanted = first + (number + phase) * (last - first) / count
    upper = torch.searchsorted(cumulative[:, :-1].contiguous(), wanted, right=True).clamp(1, edges.shape[1] - 1)
    low, high = cumulative.gather(1, upper - 1), cumulative.gather(1, upper)
    start, end = edges.gather(1, upper - 1), edges.gather(1, upper)
    step = high - low
    share = torch.where(step < 1e-10, 0.5, (wanted - low) / step.clamp_min(1e-10))
    centers = start + share * (end - start)
    middles = 0.5 * (centers[:, 1:] + centers[:, :-1])
    before = torch.maximum(centers[:, :1] - 0.5 * (centers[:, 1:2] - centers[:, :1]), edges[:, :1])
    after = torch.minimum(centers[:, -1:] + 0.5 * (centers[:, -1:] - centers[:, -2:-1]), edges[:, -1:])
    return torch.cat((before, middles, after), dim=1)
