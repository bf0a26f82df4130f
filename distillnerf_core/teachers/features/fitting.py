"""The compression of a data set's features, fitted to a sample of its cells and kept as the published one is."""

import hashlib
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.errors import DataError
from distillnerf_core.language.affine_compression import AffineCompression
from distillnerf_core.teachers.features.principal import StreamedCovariance


def fit_compression(batches: Iterable[NDArray[np.floating]], channels: int) -> AffineCompression:
    """Fits W to the principal components, and the range of every channel to its least and greatest value.

    The published map f -> (f W - min) / (max - min) has no mean (reference network, section 4.5). None is needed:
    (f - mean) W would move min and max by mean W, and the result would be the same. The fitted vectors fill [0, 1] in
    every channel; others may lie outside.

    Args:
        batches: Vectors [cells dimensions] in batches; gone through twice, so it must be no iterator.
        channels: Channels kept.

    Raises:
        DataError: If there are too few vectors, or a channel does not vary.
    """
    covariance: StreamedCovariance | None = None
    for batch in batches:
        covariance = covariance or StreamedCovariance(batch.shape[1])
        covariance.add(batch)
    if covariance is None:
        raise DataError("the compression of features: there is no cell to fit it to")
    reduction = covariance.components(channels).astype(np.float32)
    lower, upper = np.full(channels, np.inf, np.float32), np.full(channels, -np.inf, np.float32)
    for batch in batches:
        projected = batch.astype(np.float32) @ reduction
        lower = np.minimum(lower, projected.min(axis=0, initial=np.inf))
        upper = np.maximum(upper, projected.max(axis=0, initial=-np.inf))
    if not (upper > lower).all():
        flat = int((upper <= lower).sum())
        raise DataError(f"the compression of features: {flat} of {channels} channels do not vary; take fewer channels")
    return AffineCompression(*(torch.from_numpy(array) for array in (reduction, lower, upper)))


def save_compression(path: Path, compression: AffineCompression) -> None:
    """Writes a compression as `language.affine_compression.load_affine_compression` reads it, whole or not at all.

    Raises:
        DataError: If the file cannot be written.
    """
    on_cpu = compression.to("cpu")
    reduction, lower, upper = (value.numpy() for value in (on_cpu.reduction, on_cpu.lower, on_cpu.upper))
    partial = path.with_suffix(f".partial{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            np.savez(stream, reduction_mat=reduction, min=lower, max=upper)
        partial.replace(path)
    except OSError as err:
        partial.unlink(missing_ok=True)
        raise DataError(f"cannot write {path}: {err}; free space or choose another folder") from err


class TokenFiles:
    """The sample that a compression is fitted to: a file of vectors for each sampled image.

    A killed run goes on with the files that are there; one image at a time is in memory.

    Args:
        folder: Folder of the files, made when the first is written.
        cells: Cells taken from each image.
        seed: Decides, with the image's key, which cells.
    """

    def __init__(self, folder: Path, cells: int, seed: int) -> None:
        self._folder = folder
        self._cells = cells
        self._seed = seed

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        """Yields the vectors [cells dimensions] of each image, in order of the files' names.

        Raises:
            DataError: If a file is damaged.
        """
        for path in sorted(self._folder.glob("*.npy")):
            try:
                vectors = np.load(path, allow_pickle=False)
            except (OSError, ValueError, EOFError) as err:
                raise DataError(f"{path}: damaged sample of features ({err}); delete it and run again") from err
            yield vectors

    def __contains__(self, key: str) -> bool:
        """Tells whether an image has been sampled."""
        return self._path(key).exists()

    def add(self, key: str, features: Float[Tensor, "channels rows columns"]) -> None:
        """Draws cells of an image without replacement; those that are not known do not count."""
        cells = features.flatten(1).T
        known = cells[torch.isfinite(cells).all(dim=1)].cpu().numpy()
        random = np.random.default_rng([self._seed, zlib.crc32(key.encode())])
        chosen = np.sort(random.permutation(len(known))[: self._cells])
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        partial = path.with_suffix(f".partial{os.getpid()}")
        with partial.open("wb") as stream:
            np.save(stream, known[chosen])
        partial.replace(path)

    def clear(self) -> None:
        """Deletes the sample."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
