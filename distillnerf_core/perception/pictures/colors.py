"""Colour maps: classes, depth and scores to RGB."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.language.classes import SKY_COLOR
from distillnerf_core.language.label_set import OCC3D_LABELS, LabelSet

Image = NDArray[np.uint8]
"""RGB image, [height width 3]."""

BACKGROUND = (17, 20, 26)
"""Page colour of all pictures, RGB."""
INVALID_COLOR = (40, 44, 52)
"""Colour of pixels without a value."""

_NEAR_M = 1.5


def color_labels(labels: NDArray[np.uint8], classes: LabelSet = OCC3D_LABELS) -> Image:
    """Paints labels of voxels or pixels; unknown is dark.

    Args:
        labels: Array of any shape.
        classes: What the labels mean.

    Returns:
        RGB in a new last axis.
    """
    return classes.palette(INVALID_COLOR)[labels]


def color_depth(depth_m: NDArray[np.float32], max_m: float) -> Image:
    """Paints depth, warm near and cold far, on a logarithmic scale; +inf is the sky's colour and NaN is dark.

    Args:
        depth_m: Z-depth or distance along the rays, metres, [height width].
        max_m: Depth of the coldest colour, metres.

    Returns:
        RGB image, [height width 3].
    """
    depth = np.nan_to_num(np.clip(depth_m, _NEAR_M, max_m), nan=_NEAR_M)
    nearness = 1.0 - np.log(depth / _NEAR_M) / np.log(max_m / _NEAR_M)
    image = _apply(nearness, cv2.COLORMAP_TURBO)
    image[np.isposinf(depth_m)] = SKY_COLOR
    image[np.isnan(depth_m)] = INVALID_COLOR
    return image


def color_scores(scores: NDArray[np.float32]) -> Image:
    """Paints scores in [0, 1] from black over red to bright yellow; the array may have any shape."""
    flat = _apply(np.atleast_2d(scores).reshape(-1, 1), cv2.COLORMAP_INFERNO)
    return flat.reshape(*scores.shape, 3)


def blend_heat(image: Image, scores: NDArray[np.float32]) -> Image:
    """Lays scores over a darkened grey image, so that only the answer has colour.

    Args:
        image: RGB image.
        scores: Score of each pixel, of any size.
    """
    height, width = image.shape[:2]
    heat = cv2.resize(scores.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    grey = 0.55 * image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    strength = np.clip(heat, 0, 1)[..., None]
    blended: Image = (grey * (1 - strength) + color_scores(heat) * strength).astype(np.uint8)
    return blended


def _apply(values: NDArray[np.floating[Any]], colormap: int) -> Image:
    if not values.size:  # which OpenCV refuses
        return np.zeros((*values.shape, 3), dtype=np.uint8)
    levels = (255.0 * np.clip(values, 0, 1)).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, colormap)[..., ::-1])
