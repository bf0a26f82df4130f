"""Features of a cache at the size that training wants them."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.teachers.features.cache import FeatureCache

_LEAST_KNOWN = 0.5
"""Share of the neighbours' weight from which on a pixel counts as known."""


@dataclass(frozen=True)
class FeatureImage:
    """Features of one image.

    Attributes:
        features: One vector a pixel, NaN where it is not known or masked.
        valid: True where it is known and not masked.
    """

    features: Float[Tensor, "channels height width"]
    valid: Bool[Tensor, "height width"]


class FeatureReader:
    """Reads features at any size.

    Args:
        folder: Folder that `distillnerf extract-features` wrote, which may still be growing.

    Attributes:
        cache: The folder.

    Raises:
        DataError: If it is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self.cache = FeatureCache(folder)

    def __contains__(self, key: str) -> bool:
        """Tells whether there are features of an image."""
        return key in self.cache

    def read(
        self,
        key: str,
        height: int,
        width: int,
        sky: Bool[Tensor, "sky_height sky_width"] | None = None,
        ego: Bool[Tensor, "ego_height ego_width"] | None = None,
    ) -> FeatureImage:
        """Reads an image's features, bilinear between the middles of the cells.

        Cells that are not known have no weight; a pixel is known where its known neighbours have half the weight.

        Args:
            key: See `teachers.features.sources.image_key`.
            height: Rows of the result, which spans the whole image.
            width: Columns of the result.
            sky: True where the image shows the sky, of any size; such pixels are masked.
            ego: The same for the vehicle itself.

        Raises:
            DataError: If the features are missing or damaged.
        """
        stored, size = self.cache.read(key)
        grid = _sampling_grid(height, width, size, self.cache.index.margin_px)
        weight = stored.valid.float()[None]
        both = torch.cat((stored.restore() * weight, weight))
        sampled = F.grid_sample(both[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
        valid = sampled[-1] >= _LEAST_KNOWN
        for mask in (sky, ego):
            if mask is not None:
                valid = valid & ~_cover(mask, height, width)
        features = (sampled[:-1] / sampled[-1].clamp_min(_LEAST_KNOWN)).masked_fill(~valid, torch.nan)
        return FeatureImage(features, valid)


def _sampling_grid(
    height: int, width: int, working_size: tuple[int, int], margin_px: float
) -> Float[Tensor, "height width 2"]:
    """Returns the place of each pixel's middle among the cells, from -1 to 1 over those without the margin."""

    def axis(count: int, length: int) -> Tensor:
        fraction = (torch.arange(count) + 0.5) / count
        return (2.0 * fraction - 1.0) * (length / (length - 2.0 * margin_px))

    y, x = torch.meshgrid(axis(height, working_size[0]), axis(width, working_size[1]), indexing="ij")
    return torch.stack((x, y), dim=-1)


def _cover(mask: Bool[Tensor, "rows columns"], height: int, width: int) -> Bool[Tensor, "height width"]:
    """Returns which pixels of another size cover any pixel of the mask."""
    return F.adaptive_max_pool2d(mask[None, None].float(), (height, width))[0, 0].bool()
