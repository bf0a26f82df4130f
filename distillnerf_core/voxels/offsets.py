"""The 27 kernel offsets of a 3x3x3 sparse convolution, in the order of the reference network."""

import torch
from jaxtyping import Int64
from torch import Tensor

KERNEL_SIZE = 27
"""Number of offsets; offset k and offset 26 - k are opposite, offset 13 is the centre."""


def kernel_offsets(device: torch.device | str = "cpu") -> Int64[Tensor, "27 3"]:
    """Lists (dx, dy, dz), each in -1, 0, 1, with k = 9 (dx + 1) + 3 (dy + 1) + (dz + 1).

    Args:
        device: Where the tensor shall live.

    Returns:
        Offsets, x slowest and z fastest (reference network, section 1.11).
    """
    steps = torch.arange(-1, 2, device=device)
    return torch.cartesian_prod(steps, steps, steps)
