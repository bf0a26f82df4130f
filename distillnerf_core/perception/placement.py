"""Occupied voxels in another frame than the one they were perceived in."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.geometry.transforms import transform_points
from distillnerf_core.perception.results import SemanticOccupancy


def placed_centers(
    occupancy: SemanticOccupancy, target_from_ego: NDArray[np.float64] | None
) -> Float[Tensor, "voxels 3"]:
    """Returns the centres of the occupied voxels, metres.

    Args:
        occupancy: Occupancy in the ego frame.
        target_from_ego: Rigid transform [4 4] into the wanted frame; None: the ego frame.
    """
    centers = occupancy.occupied.centers_m(occupancy.grid)
    if target_from_ego is None:
        return centers
    # Maps may be kilometres wide: half a metre would be lost in single precision.
    placed = transform_points(torch.from_numpy(target_from_ego).to(centers.device), centers.double())
    return placed.to(centers.dtype)
