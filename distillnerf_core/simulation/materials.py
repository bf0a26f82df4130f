"""Procedural textures: the colour of a surface point before light falls on it."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.noise import cell_noise, faded, mix, pulse, value_noise
from distillnerf_core.simulation.primitives import Material
from distillnerf_core.simulation.surfaces import Surfaces

Albedo = Float[Tensor, "points 3"]


def facade(s: Surfaces) -> Albedo:
    """Walls with rows of windows and a ground floor; texture = (floor height, window period, style, base height)."""
    x, y, height = s.local_m.unbind(1)
    along = torch.where(s.local_normal[:, 0].abs() > 0.5, y, x)
    floor, period, style, base = s.texture.unbind(1)
    kind, bands, curtain = style.floor(), style.floor() == 1, style.floor() == 2
    shop = height < base
    column = along / torch.where(shop, period * 1.6, period)
    level = torch.where(shop, height / base, (height - base) / floor)
    duty_x = torch.where(curtain, 0.92, torch.where(bands, 1.0, 0.52))
    duty_x = torch.where(shop, 0.7, duty_x)
    duty_y = torch.where(shop, 0.66, torch.where(curtain, 0.84, 0.55))
    wide, tall = s.footprint_m / period, s.footprint_m / floor
    window = pulse(column + 0.2, duty_x, wide) * pulse(level - torch.where(shop, 0.08, 0.22), duty_y, tall)
    window = window * (s.local_normal[:, 2].abs() < 0.5)
    room = faded(cell_noise(column + 0.2, level + 37.0 * kind), 1.0, torch.maximum(wide, tall))
    lit = s.accent * (0.65 + 0.7 * room[:, None])
    grain = faded(value_noise(along * 0.5, height * 0.5), 2.0, s.footprint_m)
    fine = faded(value_noise(along * 2.3 + 9.0, height * 6.0), 0.2, s.footprint_m)
    wall = s.color * (0.90 + 0.13 * grain + 0.07 * fine)[:, None]
    wall = wall * torch.where(shop, 0.86, 1.0)[:, None]
    ledge = pulse(level + 0.04, 0.08, tall) * (~curtain & ~shop)
    wall = wall * (1.0 + 0.12 * ledge)[:, None]
    roof = s.local_normal[:, 2:] > 0.5
    return torch.where(roof, torch.full_like(wall, 0.42), mix(wall, lit, window))


def pavement(s: Surfaces) -> Albedo:
    """Slabs with joints; texture = (slab length, slab width)."""
    x, y, z = s.local_m.unbind(1)
    flat = s.local_normal[:, 2].abs() > 0.5
    length = s.texture[:, 0].clamp(min=0.2)
    width = s.texture[:, 1].clamp(min=0.2)
    u, v = x / length, torch.where(flat, y, z * 2.0 + y) / width
    joints = torch.maximum(pulse(u, 0.05, s.footprint_m / length), pulse(v, 0.05, s.footprint_m / width))
    slab = faded(cell_noise(u, v), length, s.footprint_m)
    stain = faded(value_noise(x * 0.7, y * 0.7 + z), 1.4, s.footprint_m)
    base = s.color * (0.88 + 0.12 * slab + 0.16 * (stain - 0.5))[:, None]
    kerb_face = torch.where(flat, 1.0, 0.93)
    return mix(base, s.accent, joints * 0.8) * kerb_face[:, None]


def grass(s: Surfaces) -> Albedo:
    """Lawn with worn patches."""
    x, y, _ = s.point_m.unbind(1)
    patch = faded(value_noise(x * 0.35, y * 0.35), 3.0, s.footprint_m)
    tuft = faded(value_noise(x * 3.1, y * 3.1), 0.33, s.footprint_m)
    return mix(s.color, s.accent, (1.3 * patch - 0.45).clamp(0, 1)) * (0.78 + 0.44 * tuft)[:, None]


def foliage(s: Surfaces) -> Albedo:
    """Leaves in clumps; texture = (clumps per metre, seed)."""
    density, seed = s.texture[:, 0], s.texture[:, 1] * 31.0
    x, y, z = (s.local_m * density[:, None] + seed[:, None]).unbind(1)
    clump = faded(value_noise(x, y, z), 1.0 / density, s.footprint_m)
    leaf = faded(value_noise(x * 3.1, y * 3.1, z * 3.1), 0.33 / density, s.footprint_m)
    shade = (1.5 * clump - 0.1 + 0.6 * (leaf - 0.5)).clamp(0.0, 1.0)
    return mix(s.accent, s.color * 1.12, shade)


def stripes(s: Surfaces) -> Albedo:
    """Two-colour stripes; texture = (period in metres, 1 for level stripes and 0 for slanting ones)."""
    x, y, z = s.local_m.unbind(1)
    along = torch.where(s.texture[:, 1] > 0.5, z, x + y + z)
    period = s.texture[:, 0].clamp(min=0.05)
    return mix(s.color, s.accent, pulse(along / period, 0.45, s.footprint_m / period))


def bark(s: Surfaces) -> Albedo:
    """Wood with upright grain."""
    x, y, z = s.local_m.unbind(1)
    grain = faded(value_noise(9.0 * x + 5.0 * y, 9.0 * y, z * 1.4), 0.15, s.footprint_m)
    return s.color * (0.72 + 0.56 * grain)[:, None]


def plain(s: Surfaces) -> Albedo:
    """One colour."""
    return s.color


TEXTURES: dict[Material, Callable[[Surfaces], Albedo]] = {
    Material.PLAIN: plain,
    Material.FACADE: facade,
    Material.PAVEMENT: pavement,
    Material.GRASS: grass,
    Material.FOLIAGE: foliage,
    Material.STRIPES: stripes,
    Material.BARK: bark,
}
"""The texture of each material; `Material.ROAD` depends on the street's plan, see `road.py`."""
