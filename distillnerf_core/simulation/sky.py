"""The sky and the haze."""

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.light import Light
from distillnerf_core.simulation.noise import value_noise


def sky_color(light: Light, direction: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Returns the colour of the sky in unit directions: a gradient, clouds and a glow around the sun."""
    rise = direction[:, 2].clamp(min=0.0)
    horizon, zenith = direction.new_tensor(light.horizon), direction.new_tensor(light.zenith)
    color = horizon + (zenith - horizon) * (1.0 - torch.exp(-3.2 * rise))[:, None]
    plane = direction[:, :2] / (rise + 0.12)[:, None]
    cover = value_noise(plane[:, 0] * 0.9, plane[:, 1] * 0.9) * 0.65
    cover = cover + value_noise(plane[:, 0] * 2.6 + 5.0, plane[:, 1] * 2.6) * 0.35
    density = ((cover - 0.78 + 0.42 * light.clouds) * 4.0).clamp(0.0, 1.0) * (light.clouds > 0)
    color = color + (0.95 - color) * (0.8 * density * (rise * 6.0).clamp(max=1.0))[:, None]
    facing = (direction @ direction.new_tensor(light.sun_direction)).clamp(min=0.0)
    glow = 0.25 * facing**24 * light.sun[1]
    return (color + glow[:, None]).clamp(0.0, 1.0)


def add_haze(
    light: Light, color: Float[Tensor, "points 3"], distance_m: Float[Tensor, " points"]
) -> Float[Tensor, "points 3"]:
    """Blends colours of surfaces towards the horizon's colour with distance."""
    share = 1.0 - torch.exp(-distance_m / light.haze_m)
    return color + (color.new_tensor(light.horizon) - color) * share[:, None]
