"""Water on the asphalt."""

from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.noise import value_noise

_WATER_FRONT = 0.02
"""Share of the light that water reflects at a right angle."""


def wet_color(
    dry: Float[Tensor, "points 3"],
    mirrored: Float[Tensor, "points 3"],
    point_m: Float[Tensor, "points 3"],
    slope: Float[Tensor, " points"],
    wetness: float,
) -> Float[Tensor, "points 3"]:
    """Darkens wet asphalt and lays what it mirrors over it, most at flat angles (Schlick's approximation) in puddles.

    Args:
        dry: colour of the dry road.
        mirrored: what a mirror in its place would show.
        point_m: points on the road, world frame.
        slope: cosine between the way to the camera and the upright.
        wetness: 0 to 1.
    """
    puddle = (3.0 * value_noise(point_m[:, 0] * 0.35, point_m[:, 1] * 0.6) - 1.0).clamp(0.0, 1.0)
    film = wetness * (0.35 + 0.65 * puddle)
    share = film * (_WATER_FRONT + (1.0 - _WATER_FRONT) * (1.0 - slope.clamp(0.0, 1.0)) ** 5)
    dark = dry * (1.0 - 0.45 * film)[:, None]
    return dark + (mirrored - dark) * share[:, None]
