"""The published compression of CLIP embeddings."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.clip_text import ClipTextEncoder

PROMPT = "a photo of a {}"
"""The sentence a word of a query is put into."""
_KEYS = ("reduction_mat", "min", "max")


@dataclass(frozen=True)
class AffineCompression:
    """A projection followed by a stretch of each channel from [lower, upper] to [0, 1].

    Attributes:
        reduction: Projection W; 768 x 64 as published.
        lower: Value that becomes 0.
        upper: Value that becomes 1.
    """

    reduction: Float[Tensor, "dimensions channels"]
    lower: Float[Tensor, " channels"]
    upper: Float[Tensor, " channels"]

    def reduce(self, embeddings: Float[Tensor, "texts dimensions"]) -> Float[Tensor, "texts channels"]:
        """Maps embeddings, not normalised, to features: (f W - lower) / (upper - lower)."""
        return (embeddings @ self.reduction - self.lower) / (self.upper - self.lower)

    def encode_queries(self, encoder: ClipTextEncoder, queries: Sequence[str]) -> Float[Tensor, "queries channels"]:
        """Embeds the words of a query with :data:`PROMPT` and reduces them.

        Raises:
            LanguageError: If a query is empty, or the encoder's files are missing or its dimensions are not
                those of this compression.
        """
        embeddings = encoder.embed([PROMPT.format(query) if query.strip() else "" for query in queries])
        if embeddings.shape[1] != self.reduction.shape[0]:
            raise LanguageError(
                f"the feature compression takes {self.reduction.shape[0]} dimensions, the text encoder gives "
                f"{embeddings.shape[1]}: the published features need {encoder.name}"
            )
        return self.reduce(embeddings.to(self.reduction.device))

    def to(self, device: torch.device | str) -> "AffineCompression":
        """Moves the map to a device."""
        return AffineCompression(self.reduction.to(device), self.lower.to(device), self.upper.to(device))


def load_affine_compression(path: Path) -> AffineCompression:
    """Reads the PCA file that belongs to a checkpoint (`clip_reduction_pca.npz`); nothing in it is executed.

    Args:
        path: npz file with the arrays `reduction_mat` (dimensions x channels), `min` and `max` (channels).

    Raises:
        LanguageError: If the file is missing, damaged, or its arrays do not make a map.
    """
    arrays = _read_arrays(path)
    reduction, lower, upper = (arrays[key] for key in _KEYS)
    if reduction.ndim != 2 or lower.shape != reduction.shape[1:] or upper.shape != lower.shape:
        shapes = ", ".join(f"{key} {arrays[key].shape}" for key in _KEYS)
        raise LanguageError(
            f"feature compression {path}: expected reduction_mat (dimensions, channels), min and max (channels), "
            f"got {shapes}"
        )
    if not all(np.isfinite(array).all() for array in arrays.values()) or not (upper > lower).all():
        raise LanguageError(
            f"feature compression {path}: expected finite numbers with max above min in every channel; "
            f"fetch the file that came with the checkpoint again"
        )
    return AffineCompression(*(torch.from_numpy(arrays[key]) for key in _KEYS))


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise LanguageError(
            f"feature compression {path} does not exist: it is published with the checkpoint "
            f"(clip_reduction_pca.npz), and without it texts cannot be compared with the features"
        )
    try:
        with np.load(path, allow_pickle=False) as opened:
            missing = [key for key in _KEYS if key not in opened]
            arrays = {key: np.asarray(opened[key], dtype=np.float32) for key in _KEYS if key in opened}
    except (OSError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as err:
        raise LanguageError(f"feature compression {path} cannot be read: {err}; expected a whole npz file") from err
    if missing:
        raise LanguageError(f"feature compression {path} lacks {', '.join(missing)}: it holds another thing")
    return arrays
