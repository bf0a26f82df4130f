"""Features as colours beside their images, for people."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.perception.pictures.colors import INVALID_COLOR, Image
from distillnerf_core.teachers.features.principal import StreamedCovariance
from distillnerf_core.teachers.features.reader import FeatureImage

_WIDTH = 480
_TAILS = (2.0, 98.0)
"""Percentiles that become black and full colour."""


def feature_picture(pairs: Sequence[tuple[Image, FeatureImage]]) -> Image:
    """Draws each image beside the first three principal components of its features as red, green and blue.

    The components are those of all the features together, so that equal colours mean alike features. What
    is not known is dark.

    Args:
        pairs: RGB images and their features of any size, at least one.

    Returns:
        RGB, a row for each pair.
    """
    known = [features.features[:, features.valid].T.cpu().numpy() for _, features in pairs]
    basis, lower, upper = _fit(known)
    rows = []
    for (image, features), vectors in zip(pairs, known, strict=True):
        size = (_WIDTH, round(_WIDTH * image.shape[0] / image.shape[1]))
        colors = np.zeros((*features.valid.shape, 3), dtype=np.uint8)
        colors[:] = INVALID_COLOR
        painted = (vectors @ basis - lower) / (upper - lower) * 255.0
        colors[features.valid.cpu().numpy()] = np.clip(painted, 0, 255).astype(np.uint8)
        shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        grown = cv2.resize(colors, size, interpolation=cv2.INTER_NEAREST)
        rows.append(np.concatenate([shrunk, grown], axis=1))
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    return np.asarray(np.concatenate(padded, axis=0), dtype=np.uint8)


def _fit(
    known: list[NDArray[np.float32]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns the basis of the three colours [channels 3] and the projections that become 0 and 1."""
    channels = known[0].shape[1]
    vectors = np.concatenate(known).astype(np.float64)
    basis = np.zeros((channels, 3))
    if len(vectors) > 3:
        covariance = StreamedCovariance(channels)
        covariance.add(vectors)
        kept = min(3, channels)
        basis[:, :kept] = covariance.components(kept)
    values = vectors @ basis if len(vectors) else np.zeros((1, 3))
    lower, upper = np.percentile(values, _TAILS, axis=0)
    return basis, lower, np.where(upper > lower, upper, lower + 1.0)
