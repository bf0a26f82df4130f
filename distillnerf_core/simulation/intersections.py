"""Where a ray meets a box, an ellipsoid or a frustum, in the primitive's own frame.

Rays come as separate x, y, z components of any shapes that broadcast; a direction need not be unit.
All functions return the smallest positive ray parameter, `inf` where the ray misses.
"""

import torch
from torch import Tensor

Components = tuple[Tensor, Tensor, Tensor]
"""x, y and z of points or directions."""

_TINY = 1e-9


def components(vectors: Tensor, dim: int) -> Components:
    """Splits vectors along a dimension of size three."""
    x, y, z = vectors.unbind(dim)
    return x, y, z


def box_distance(origin: Components, direction: Components, half: Components) -> Tensor:
    """Intersect rays with boxes |x| <= half (slab method).

    Args:
        origin: ray origins in the box frame, metres.
        direction: ray directions in the box frame.
        half: half sizes, metres.

    Returns:
        The ray parameter of the first crossing in front of the origin, or `inf`.
    """
    enter: Tensor | None = None
    leave: Tensor | None = None
    for o, d, h in zip(origin, direction, half, strict=True):
        inverse = torch.where(d.abs() < _TINY, torch.full_like(d, _TINY), d).reciprocal()
        middle = -o * inverse
        reach = h * inverse.abs()
        near, far = middle - reach, middle + reach
        enter = near if enter is None else torch.maximum(enter, near)
        leave = far if leave is None else torch.minimum(leave, far)
    assert enter is not None and leave is not None
    first = torch.where(enter > 0, enter, leave)
    return torch.where((leave >= enter) & (leave > 0), first, torch.inf)


def ellipsoid_distance(origin: Components, direction: Components, half: Components) -> Tensor:
    """Intersect rays with ellipsoids of the semi-axes `half`.

    The origin is first moved to the point nearest to the centre, which keeps float32 exact for distant small bodies.

    Returns:
        The ray parameter of the first crossing in front of the origin, or `inf`.
    """
    scaled_o = [o / h for o, h in zip(origin, half, strict=True)]
    scaled_d = [d / h for d, h in zip(direction, half, strict=True)]
    a = scaled_d[0] * scaled_d[0] + scaled_d[1] * scaled_d[1] + scaled_d[2] * scaled_d[2]
    shift = -(scaled_o[0] * scaled_d[0] + scaled_o[1] * scaled_d[1] + scaled_o[2] * scaled_d[2]) / a
    x, y, z = (o + shift * d for o, d in zip(scaled_o, scaled_d, strict=True))
    inside = 1.0 - (x * x + y * y + z * z)
    root = (inside.clamp(min=0.0) / a).sqrt()
    near, far = shift - root, shift + root
    first = torch.where(near > 0, near, far)
    return torch.where((inside > 0) & (first > 0), first, torch.inf)


def frustum_distance(origin: Components, direction: Components, half: Components, taper: Tensor) -> Tensor:
    """Intersect rays with upright round bodies whose radius changes linearly (cylinders, cones).

    Args:
        origin: ray origins in the body frame, metres.
        direction: ray directions in the body frame.
        half: (bottom radius, unused, half height), metres.
        taper: top radius over bottom radius.

    Returns:
        The ray parameter of the first crossing of mantle or caps in front of the origin, or `inf`.
    """
    (dx, dy, dz), height = direction, half[2]
    shift = -(origin[0] * dx + origin[1] * dy + origin[2] * dz) / (dx * dx + dy * dy + dz * dz)
    ox, oy, oz = (o + shift * d for o, d in zip(origin, direction, strict=True))
    slope = half[0] * (taper - 1.0) / (2.0 * height)
    radius = half[0] * (taper + 1.0) / 2.0 + slope * oz
    growth = slope * dz
    a = dx * dx + dy * dy - growth * growth
    a = torch.where(a.abs() < _TINY, torch.full_like(a, _TINY), a)
    b = ox * dx + oy * dy - growth * radius
    c = ox * ox + oy * oy - radius * radius
    discriminant = b * b - a * c
    root = discriminant.clamp(min=0.0).sqrt()
    best = torch.full_like(discriminant, torch.inf)
    for local in ((-b - root) / a, (-b + root) / a):
        on_mantle = ((oz + local * dz).abs() <= height) & (radius + growth * local >= 0) & (discriminant >= 0)
        best = _nearer(best, local, shift, on_mantle)
    safe_dz = torch.where(dz.abs() < _TINY, torch.full_like(dz, _TINY), dz)
    for side in (-1.0, 1.0):
        local = (side * height - oz) / safe_dz
        x, y, rim = ox + local * dx, oy + local * dy, radius + growth * local
        best = _nearer(best, local, shift, x * x + y * y <= rim * rim)
    return best


def _nearer(best: Tensor, local: Tensor, shift: Tensor, valid: Tensor) -> Tensor:
    total = local + shift
    return torch.where(valid & (total > 0) & (total < best), total, best)
