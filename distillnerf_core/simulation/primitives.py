"""The solids a simulated street is made of, as one structure of arrays."""

import dataclasses
from collections.abc import Callable
from enum import IntEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Shape(IntEnum):
    """The analytic shape of a primitive in its own frame, centred on the origin."""

    BOX = 0
    """|x| <= hx, |y| <= hy, |z| <= hz."""
    ELLIPSOID = 1
    """(x/hx)^2 + (y/hy)^2 + (z/hz)^2 <= 1."""
    FRUSTUM = 2
    """Upright round body |z| <= hz, radius hx at the bottom and hx * taper at the top (cylinder, cone)."""


class Material(IntEnum):
    """The procedural texture of a surface."""

    PLAIN = 0
    FACADE = 1
    PAVEMENT = 2
    GRASS = 3
    FOLIAGE = 4
    STRIPES = 5
    BARK = 6
    ROAD = 7


@dataclasses.dataclass(frozen=True)
class Primitives:
    """Oriented solids in the world frame (metres) with their looks, labels and motions along straight lines."""

    shape: Int[Tensor, " primitives"]
    """Value of `Shape`."""
    center_m: Float[Tensor, "primitives 3"]
    """Centre at time zero."""
    rotation: Float[Tensor, "primitives 3 3"]
    """World from local: p_world = rotation @ p_local + center."""
    half_size_m: Float[Tensor, "primitives 3"]
    taper: Float[Tensor, " primitives"]
    """Top radius over bottom radius of a frustum; 1 for other shapes."""
    velocity_m_s: Float[Tensor, "primitives 3"]
    """While it moves."""
    moving_s: Float[Tensor, "primitives 2"]
    """First and last time at which it moves, before and after which it stands; infinite if it always moves."""
    label: Int[Tensor, " primitives"]
    """Occ3D class id."""
    instance: Int[Tensor, " primitives"]
    """Which object this is a part of, from 1."""
    material: Int[Tensor, " primitives"]
    """Value of `Material`."""
    color: Float[Tensor, "primitives 3"]
    accent: Float[Tensor, "primitives 3"]
    """Second colour of the texture."""
    texture: Float[Tensor, "primitives 4"]
    """Texture parameters; their meaning depends on the material."""

    def __len__(self) -> int:
        """Return the number of primitives."""
        return int(self.shape.shape[0])

    def to(self, device: torch.device | str) -> "Primitives":
        """Return the same primitives on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def select(self, index: Tensor) -> "Primitives":
        """Return the primitives at `index` (integers or a mask)."""
        return self._map(lambda tensor: tensor[index])

    def at_time(self, seconds: float) -> "Primitives":
        """Return the primitives where they are `seconds` after time zero."""
        travelled = travelled_s(self.moving_s, seconds)
        return dataclasses.replace(self, center_m=self.center_m + travelled[:, None] * self.velocity_m_s)

    def _map(self, function: Callable[[Tensor], Tensor]) -> "Primitives":
        fields = dataclasses.fields(self)
        return Primitives(**{field.name: function(getattr(self, field.name)) for field in fields})


def travelled_s(moving_s: Float[Tensor, "... 2"], seconds: float | Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return for how long something has moved since time zero, negative before it.

    Args:
        moving_s: First and last time at which it moves.
        seconds: Time after time zero; its shape and that of the result are broadcast.
    """
    first, last = moving_s.unbind(-1)
    now = seconds if isinstance(seconds, Tensor) else torch.full_like(first, seconds)
    return torch.minimum(torch.maximum(now, first), last) - torch.zeros_like(first).clamp(min=first, max=last)


def bounding_half_size(primitives: Primitives) -> Float[Tensor, "primitives 3"]:
    """Return half sizes of the local boxes that enclose each primitive (a frustum may widen upwards)."""
    half = primitives.half_size_m.clone()
    widest = half[:, 0] * primitives.taper.clamp(min=1.0)
    round_body = primitives.shape == Shape.FRUSTUM
    half[:, 0] = torch.where(round_body, widest, half[:, 0])
    half[:, 1] = torch.where(round_body, widest, half[:, 1])
    return half
