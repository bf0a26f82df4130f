"""The box of a scene, and the contraction that maps all space around it into the unit cube (section 3.1)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

_LEAST_TOP_M = 20.0


@dataclass(frozen=True)
class SceneBox:
    """An axis-aligned box; the field has its full resolution inside.

    Attributes:
        lower_m: Smallest coordinates, metres.
        upper_m: Greatest coordinates, metres.
    """

    lower_m: tuple[float, float, float]
    upper_m: tuple[float, float, float]

    def contract(self, points_m: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Maps points, metres, into (0, 1)^3: the box to the middle half, everything else around it.

        u in [-1, 1] in the box, m = max |u|; c = u where m < 1, else (2 - 1/m) u / m; result c / 4 + 1/2. Points that
        rounding puts onto the border of the cube become zero.
        """
        lower, upper = points_m.new_tensor(self.lower_m), points_m.new_tensor(self.upper_m)
        u = 2.0 * (points_m - lower) / (upper - lower) - 1.0
        largest = u.abs().amax(dim=-1, keepdim=True).clamp_min(1.0)
        contracted = (2.0 - 1.0 / largest) * u / largest * 0.25 + 0.5
        inside = ((contracted > 0.0) & (contracted < 1.0)).all(dim=-1, keepdim=True)
        return contracted * inside

    def including(self, points_m: NDArray[np.floating]) -> "SceneBox":
        """Returns the box enlarged so that points [n 3] lie a metre inside: the cameras, before a single wall."""
        lower = np.minimum(np.array(self.lower_m), points_m.min(axis=0) - 1.0)
        return _box(lower, np.maximum(np.array(self.upper_m), points_m.max(axis=0) + 1.0))

    def state(self) -> Float[Tensor, " six"]:
        """Returns both corners as one tensor, for checkpoints."""
        return torch.tensor([*self.lower_m, *self.upper_m])


def box_of_points(points_m: NDArray[np.floating]) -> SceneBox:
    """Returns the box of LiDAR points [n 3]: from the 2 % to the 98 % quantile, and up to 20 m at least.

    Section 2.4.
    """
    lower, upper = np.quantile(points_m, 0.02, axis=0), np.quantile(points_m, 0.98, axis=0)
    upper[2] = max(upper[2], _LEAST_TOP_M)
    return _box(lower, upper)


def box_of_cameras(positions_m: NDArray[np.floating]) -> SceneBox:
    """Returns the box around the places [n 3] of a camera, for drives without LiDAR (section 2.4)."""
    lower, upper = positions_m.min(axis=0), positions_m.max(axis=0)
    lower[2], upper[2] = max(lower[2] - 5.0, -5.0), min(upper[2] + _LEAST_TOP_M, _LEAST_TOP_M)
    margin = np.array([40.0, 40.0, 0.0])
    return _box(lower - margin, upper + margin)


def _box(lower: NDArray[np.floating], upper: NDArray[np.floating]) -> SceneBox:
    low, high = lower.tolist(), upper.tolist()
    return SceneBox((low[0], low[1], low[2]), (high[0], high[1], high[2]))
