"""The smallest upright box around each object of a street."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distillnerf_core.simulation.primitives import Primitives, Shape


@dataclass(frozen=True)
class ObjectBoxes:
    """Upright boxes at time zero and their motion; x of a box points along the object's heading.

    Attributes:
        instance: Number of the object.
        label: Occ3D class.
        size_lwh_m: Length, width and height.
        box_to_world: Pose of the box's middle at time zero, float64.
        velocity_m_s: While it moves, world frame.
        moving_s: First and last time at which it moves.
    """

    instance: Int[Tensor, " objects"]
    label: Int[Tensor, " objects"]
    size_lwh_m: Float[Tensor, "objects 3"]
    box_to_world: Float[Tensor, "objects 4 4"]
    velocity_m_s: Float[Tensor, "objects 3"]
    moving_s: Float[Tensor, "objects 2"]


def bound_objects(primitives: Primitives, labels: Sequence[int]) -> ObjectBoxes:
    """Returns the boxes that touch the surfaces of all parts of each object.

    The heading is the horizontal direction of the x axis of the object's first part; all makers of road users start
    with a part that is not turned against its object.

    Args:
        primitives: the solids at time zero.
        labels: Occ3D classes of the objects to bound.
    """
    wanted = torch.isin(primitives.label, primitives.label.new_tensor(list(labels)))
    parts = primitives.select(wanted)
    instance, index = torch.unique(parts.instance, return_inverse=True)
    count, order = len(instance), torch.arange(len(parts), device=index.device)
    first = torch.full((count,), len(parts), device=index.device).scatter_reduce(0, index, order, "amin")
    ahead = parts.rotation[first, :, 0].double()
    heading = _yaw_rotation(torch.atan2(ahead[:, 1], ahead[:, 0]))
    low, high = _extent(parts, heading[index])
    columns = index[:, None].expand(-1, 3)
    low = torch.full((count, 3), torch.inf, dtype=low.dtype, device=low.device).scatter_reduce(0, columns, low, "amin")
    high = torch.full_like(low, -torch.inf).scatter_reduce(0, columns, high, "amax")
    pose = torch.eye(4, dtype=torch.float64, device=low.device).repeat(count, 1, 1)
    pose[:, :3, :3] = heading
    pose[:, :3, 3] = torch.einsum("nij,nj->ni", heading, (low + high) / 2)
    motion = (parts.velocity_m_s[first], parts.moving_s[first])
    return ObjectBoxes(instance, parts.label[first], high - low, pose, *motion)


def _yaw_rotation(yaw: Float[Tensor, " objects"]) -> Float[Tensor, "objects 3 3"]:
    rotation = torch.zeros(len(yaw), 3, 3, dtype=yaw.dtype, device=yaw.device)
    rotation[:, 0, 0] = rotation[:, 1, 1] = yaw.cos()
    rotation[:, 1, 0] = yaw.sin()
    rotation[:, 0, 1] = -yaw.sin()
    rotation[:, 2, 2] = 1.0
    return rotation


def _extent(
    parts: Primitives, heading: Float[Tensor, "parts 3 3"]
) -> tuple[Float[Tensor, "parts 3"], Float[Tensor, "parts 3"]]:
    """Returns the least and the greatest coordinate of each part along the axes of its object's box."""
    middle = torch.einsum("nij,ni->nj", heading, parts.center_m.double())
    axes = torch.einsum("nki,nkj->nij", heading, parts.rotation.double())
    return middle - _support(parts, -axes), middle + _support(parts, axes)


def _support(parts: Primitives, axes: Float[Tensor, "parts axes 3"]) -> Float[Tensor, "parts axes"]:
    """Returns how far each part reaches from its centre along directions given in its own frame."""
    half, taper = parts.half_size_m.double()[:, None], parts.taper.double()[:, None]
    box = (axes.abs() * half).sum(dim=2)
    ellipsoid = (axes * half).norm(dim=2)
    across, up = axes[..., :2].norm(dim=2), axes[..., 2] * half[..., 2]
    bottom, top = across * half[..., 0] - up, across * half[..., 0] * taper + up
    frustum = torch.maximum(bottom, top)
    kind = parts.shape[:, None]
    return torch.where(kind == Shape.BOX, box, torch.where(kind == Shape.ELLIPSOID, ellipsoid, frustum))
