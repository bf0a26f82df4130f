"""Ground truth at the resolution of the network's rays."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.frames import SupervisedFrame


@dataclass(frozen=True)
class PixelTargets:
    """What each ray should see.

    Attributes:
        distance_m: Distance along the unit ray, +inf for sky, NaN where unknown.
        labels: Class, 17 for sky, 255 where unknown.
    """

    distance_m: Float[Tensor, "cameras h w"]
    labels: Int64[Tensor, "cameras h w"]


def pixel_targets(frame: SupervisedFrame, height: int, width: int) -> PixelTargets:
    """Reduces dense ground truth to fewer rays.

    A coarse pixel takes one of the surfaces that it covers, the second nearest of them: never an average across
    an edge, which is no surface at all. Unknown pixels count only where nothing else is known.
    """
    blocks = (frame.ray_distance_m.shape[1] // height, frame.ray_distance_m.shape[2] // width)
    distance = _blocks(frame.ray_distance_m, blocks)
    ordered = distance.nan_to_num(nan=torch.finfo(distance.dtype).max, posinf=1e30).sort(dim=-1)
    known = (~distance.isnan()).sum(dim=-1, keepdim=True)
    second = (known - 1).clamp(0, 1)
    which = ordered.indices.gather(-1, second)
    labels = _blocks(frame.labels, blocks).gather(-1, which)[..., 0]
    return PixelTargets(distance.gather(-1, which)[..., 0], labels.long())


def _blocks(image: Tensor, blocks: tuple[int, int]) -> Tensor:
    rows, columns = blocks
    cameras, height, width = image.shape
    tiles = image[:, : height // rows * rows, : width // columns * columns]
    tiles = tiles.reshape(cameras, height // rows, rows, width // columns, columns)
    return tiles.permute(0, 1, 3, 2, 4).flatten(-2)
