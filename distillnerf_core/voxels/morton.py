"""Morton (Z-order) codes of integer voxel coordinates."""

import torch
from jaxtyping import Int, Int64
from torch import Tensor

MAX_LEVEL = 20
"""Finest level whose codes fit into the positive range of a 64-bit integer with room for a sentinel."""

_SPREAD_STEPS = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)
_COMPACT_STEPS = (
    (2, 0x10C30C30C30C30C3),
    (4, 0x100F00F00F00F00F),
    (8, 0x1F0000FF0000FF),
    (16, 0x1F00000000FFFF),
    (32, 0x1FFFFF),
)


def morton_encode(coordinates: Int[Tensor, "voxels 3"]) -> Int64[Tensor, " voxels"]:
    """Interleaves the bits of x, y and z, x being the most significant bit of each triple.

    The child of an octree node with local coordinates (x, y, z) in {0, 1} therefore has index 4 x + 2 y + z.

    Args:
        coordinates: Voxel coordinates, each in [0, 2^20).

    Returns:
        Morton codes; sorting them sorts the voxels along the Z-order curve.
    """
    # One allocation, then in place: this runs over every lifted point of a frame.
    spread = coordinates.t().contiguous().to(torch.int64, copy=True)
    for shift, mask in _SPREAD_STEPS:
        spread.bitwise_or_(spread << shift).bitwise_and_(mask)
    x, y, z = spread.unbind(0)
    return (x << 2).bitwise_or_(y << 1).bitwise_or_(z)


def morton_decode(codes: Int64[Tensor, " voxels"]) -> Int64[Tensor, "voxels 3"]:
    """Inverts `morton_encode`.

    Args:
        codes: Non-negative Morton codes.

    Returns:
        Voxel coordinates (x, y, z).
    """
    compact = torch.stack((codes >> 2, codes >> 1, codes), dim=1).bitwise_and_(0x1249249249249249)
    for shift, mask in _COMPACT_STEPS:
        compact.bitwise_or_(compact >> shift).bitwise_and_(mask)
    return compact
