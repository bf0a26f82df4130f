"""Patches of vision transformers at any image size and stride."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import ConfigurationError

SHORT_SIDE_PX = 602
"""Shorter side of the working image: 1600 x 900 becomes 1071 x 602, as published (reference network, section 4.5)."""


def check_stride(stride_px: int, patch_px: int) -> None:
    """Refuses strides that leave out pixels.

    Raises:
        ConfigurationError: If the stride is not between 1 and the size of a patch.
    """
    if not 1 <= stride_px <= patch_px:
        raise ConfigurationError(f"stride of patches: expected 1 to {patch_px} pixels, a patch's size, got {stride_px}")


def fitted_size(height: int, width: int, short_side_px: int, patch_px: int, stride_px: int) -> tuple[int, int]:
    """Returns the size nearest to the image's shape whose shorter side is `short_side_px` and that patches fill.

    Each side becomes patch + k stride, with a whole k of at least 0.
    """
    scale = short_side_px / min(height, width)

    def fit(length: int) -> int:
        return patch_px + stride_px * max(0, round((length * scale - patch_px) / stride_px))

    return fit(height), fit(width)


def embed_patches(
    images: Float[Tensor, "images 3 height width"],
    weight: Float[Tensor, "channels 3 patch patch"],
    bias: Float[Tensor, " channels"] | None,
    stride_px: int,
) -> Float[Tensor, "images channels rows columns"]:
    """Embeds patches a stride apart with the projection that was trained for patches side by side."""
    return F.conv2d(images, weight, bias, stride=stride_px)


def interpolate_positions(
    table: Float[Tensor, "positions channels"], rows: int, columns: int
) -> Float[Tensor, "tokens channels"]:
    """Stretches the square table of position embeddings to a grid of patches, bicubic.

    The published helper for CLIP hands (width, height) to an interpolation written for (height, width): for
    images that are not square the table is stretched to columns x rows and then laid, row by row, over rows x
    columns patches, so that positions are scrambled. Here height is height. It also adds 0.1 to the number
    of patches, against a rounding error of old versions of PyTorch; here the size is named instead, as
    `transformers` does. Features of non-square images therefore differ from the published ones.

    Args:
        table: Embeddings of the n x n patches that the model was trained with, row by row.
        rows: Rows of patches.
        columns: Columns of patches.

    Returns:
        One embedding for each patch, row by row; the table itself at its own size.
    """
    side = math.isqrt(table.shape[0])
    if (rows, columns) == (side, side):
        return table
    square = table.float().T.reshape(1, -1, side, side)
    stretched = F.interpolate(square, size=(rows, columns), mode="bicubic", align_corners=False)
    return stretched[0].flatten(1).T.to(table.dtype)


def standardise(
    images: Float[Tensor, "images 3 height width"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Tensor, "images 3 height width"]:
    """Subtracts the mean of each colour and divides by its deviation."""
    shape = (3, 1, 1)
    return (images - images.new_tensor(mean).reshape(shape)) / images.new_tensor(std).reshape(shape)


def resize_image(image: Float[Tensor, "3 height width"], height: int, width: int) -> Float[Tensor, "3 h w"]:
    """Resizes an RGB image in [0, 1], bicubic with antialiasing, as the models were trained."""
    if image.shape[1:] == torch.Size((height, width)):
        return image
    resized = F.interpolate(image[None], size=(height, width), mode="bicubic", align_corners=False, antialias=True)
    return resized[0].clamp(0.0, 1.0)
