"""Sun and sky of a street."""

import math
from dataclasses import dataclass, replace

import numpy as np

from distillnerf_core.simulation.builder import Color
from distillnerf_core.simulation.palette import between, pick, vary

_DUSK_ELEVATION = 0.16
"""Height of the sun over the horizon at dusk, radians."""


@dataclass(frozen=True)
class Light:
    """Sun and sky.

    Attributes:
        sun_direction: Unit vector towards the sun, world frame.
        sun: Colour and strength of direct light.
        ambient: Colour and strength of light from the sky.
        zenith: Colour of the sky overhead.
        horizon: Colour of the sky at the horizon, and of the haze.
        haze_m: Distance at which the haze hides two thirds of a surface.
        clouds: Share of clouds, 0 to 1.
    """

    sun_direction: tuple[float, float, float]
    sun: Color
    ambient: Color
    zenith: Color
    horizon: Color
    haze_m: float
    clouds: float


def sample_light(rng: np.random.Generator) -> Light:
    """Draws a clear or an overcast day."""
    azimuth, elevation = between(rng, 0.0, 2 * math.pi), between(rng, 0.45, 1.2)
    overcast = rng.random() < 0.3
    direct = 0.22 if overcast else between(rng, 0.68, 0.85)
    warm = between(rng, 0.0, 0.12)
    sky: tuple[Color, Color] = pick(
        rng,
        (
            ((0.30, 0.50, 0.80), (0.78, 0.86, 0.93)),
            ((0.36, 0.56, 0.82), (0.86, 0.88, 0.90)),
            ((0.42, 0.52, 0.70), (0.92, 0.86, 0.78)),
        ),
    )
    if overcast:
        sky = ((0.66, 0.70, 0.75), (0.84, 0.86, 0.87))
    return Light(
        sun_direction=(
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ),
        sun=(direct * (1 + warm), direct, direct * (1 - warm)),
        ambient=(0.88, 0.90, 0.94) if overcast else (0.54, 0.58, 0.66),
        zenith=vary(rng, sky[0], 0.04),
        horizon=vary(rng, sky[1], 0.02),
        haze_m=between(rng, 140.0, 420.0),
        clouds=0.0 if overcast else between(rng, 0.0, 0.8),
    )


def at_dusk(light: Light) -> Light:
    """Returns the light of the same day when the sun stands low and red."""
    x, y, _ = light.sun_direction
    turn = math.cos(_DUSK_ELEVATION) / math.hypot(x, y)
    strength = light.sun[1]
    return replace(
        light,
        sun_direction=(x * turn, y * turn, math.sin(_DUSK_ELEVATION)),
        sun=(0.75 * strength, 0.40 * strength, 0.20 * strength),
        ambient=(0.44, 0.44, 0.54),
        zenith=(0.20, 0.25, 0.44),
        horizon=(0.82, 0.56, 0.44),
    )
