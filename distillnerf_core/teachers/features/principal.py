"""Principal components of more vectors than fit into memory."""

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import DataError

FloatArray = NDArray[np.float64]


class StreamedCovariance:
    """Mean and scatter matrix of vectors that come in batches, in double precision.

    Batches are merged by the update of Chan, Golub and LeVeque (1979), which loses nothing to the size of the mean:
    S = S_a + S_b + (n_a n_b / n) d d^T with d = mean_b - mean_a. Memory is that of two matrices.

    Args:
        dimensions: Components of a vector.

    Attributes:
        count: Number of vectors so far.
        mean: Their mean [dimensions].
        scatter: Sum of the outer products of the deviations from it [dimensions dimensions].
    """

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.mean: FloatArray = np.zeros(dimensions)
        self.scatter: FloatArray = np.zeros((dimensions, dimensions))

    def add(self, vectors: NDArray[np.floating]) -> None:
        """Takes a batch [vectors dimensions].

        Raises:
            DataError: If a number is not finite.
        """
        batch = np.asarray(vectors, dtype=np.float64)
        if not len(batch):
            return
        if not np.isfinite(batch).all():
            raise DataError(
                "principal components: a feature is not finite; the model's weights or an image are damaged"
            )
        mean = batch.mean(axis=0)
        centered, shift = batch - mean, mean - self.mean
        total = self.count + len(batch)
        self.scatter += centered.T @ centered + np.outer(shift, shift) * (self.count * len(batch) / total)
        self.mean = self.mean + shift * (len(batch) / total)
        self.count = total

    def components(self, channels: int) -> FloatArray:
        """Returns the directions of greatest variance as orthonormal columns [dimensions channels].

        The largest entry of each is positive, so that colours and files do not depend on the machine.

        Raises:
            DataError: If there are fewer dimensions, or not more vectors, than channels.
        """
        if not 1 <= channels <= len(self.mean):
            raise DataError(f"principal components: expected 1 to {len(self.mean)} channels, got {channels}")
        if self.count <= channels:
            raise DataError(f"principal components: {self.count} vectors are too few for {channels} channels")
        directions = np.linalg.eigh(self.scatter)[1][:, ::-1][:, :channels]
        largest = np.abs(directions).argmax(axis=0)
        return np.asarray(directions * np.sign(directions[largest, np.arange(channels)]))
