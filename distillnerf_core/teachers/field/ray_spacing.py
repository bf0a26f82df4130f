"""How samples are spread along a ray: evenly up to 200 m, evenly in inverse distance beyond (section 4.1)."""

import torch
from jaxtyping import Float
from torch import Tensor

NEAR_M, FAR_M = 0.1, 1000.0
_TURN_M = 200.0


def to_distance(share: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Returns the distance, metres, of a position in [0, 1] between the near and the far end.

    t = g^-1(s g(far) + (1 - s) g(near)) with g(t) = t / 400 for t < 200 and 1 - 100 / t beyond.
    """
    near, far = NEAR_M / (2.0 * _TURN_M), 1.0 - 0.5 * _TURN_M / FAR_M
    y = share * far + (1.0 - share) * near
    return torch.where(y < 0.5, 2.0 * _TURN_M * y, 0.5 * _TURN_M / (1.0 - y))
