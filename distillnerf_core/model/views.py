"""Rendered views of a field."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class RenderedViews:
    """What the cameras of a rig see in a field.

    Attributes:
        rgb: Colour in [0, 1], at twice the size of the other images; None if not asked for.
        ray_distance_m: Expected distance along each pixel's unit ray; differentiable.
        median_distance_m: Distance at which half of the stopped light is stopped; no gradient.
        opacity: Share of light stopped by the field.
        language: Language feature of each pixel, not normalised; None if not asked for.
    """

    rgb: Float[Tensor, "cameras 3 height width"] | None
    ray_distance_m: Float[Tensor, "cameras h w"]
    median_distance_m: Float[Tensor, "cameras h w"]
    opacity: Float[Tensor, "cameras h w"]
    language: Float[Tensor, "cameras channels h w"] | None
