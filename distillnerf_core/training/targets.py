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
    distance, which = _second_nearest(frame.ray_distance_m, height, width)
    blocks = (frame.labels.shape[1] // height, frame.labels.shape[2] // width)
    labels = _blocks(frame.labels, blocks).gather(-1, which)[..., 0]
    return PixelTargets(distance, labels.long())


def reduce_distance(
    distance_m: Float[Tensor, "cameras height width"], height: int, width: int
) -> Float[Tensor, "cameras h w"]:
    """Reduces distances as :func:`pixel_targets` does; +inf is sky, NaN unknown."""
    distance, _ = _second_nearest(distance_m, height, width)
    return distance


def _second_nearest(
    distance_m: Float[Tensor, "cameras height width"], height: int, width: int
) -> tuple[Float[Tensor, "cameras h w"], Int64[Tensor, "cameras h w 1"]]:
    blocks = (distance_m.shape[1] // height, distance_m.shape[2] // width)
    distance = _blocks(distance_m, blocks)
    ordered = distance.nan_to_num(nan=torch.finfo(distance.dtype).max, posinf=1e30).sort(dim=-1)
    known = (~distance.isnan()).sum(dim=-1, keepdim=True)
    which = ordered.indices.gather(-1, (known - 1).clamp(0, 1))
    return distance.gather(-1, which)[..., 0], which


def _blocks(image: Tensor, blocks: tuple[int, int]) -> Tensor:
    rows, columns = blocks
    cameras, height, width = image.shape
    tiles = image[:, : height // rows * rows, : width // columns * columns]
    tiles = tiles.reshape(cameras, height // rows, rows, width // columns, columns)
    return tiles.permute(0, 1, 3, 2, 4).flatten(-2)
