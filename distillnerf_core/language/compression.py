"""Compression of text embeddings to the few channels that a scene field carries."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


@dataclass(frozen=True)
class FeaturePca:
    """A linear map from text embeddings to language features.

    Subtracting the mean of the classes takes away what all things of a street have in common; without it
    every word resembles every class (measured: words for the right class 0.04 to 0.10 ahead of the next,
    with it 0.18).

    Attributes:
        mean: Point that becomes the origin.
        basis: Orthonormal columns.
    """

    mean: Float[Tensor, " dimensions"]
    basis: Float[Tensor, "dimensions channels"]

    def reduce(self, embeddings: Float[Tensor, "texts dimensions"]) -> Float[Tensor, "texts channels"]:
        """Maps embeddings to features: the unit direction from the mean, projected on the basis.

        The length, at most 1, is the share of the text that the basis can express; it is kept, so that a
        word foreign to streets stays dissimilar to everything.
        """
        return normalize(embeddings - self.mean, dim=-1) @ self.basis

    def expand(self, features: Float[Tensor, "texts channels"]) -> Float[Tensor, "texts dimensions"]:
        """Maps features back to directions from the mean; exact inside the span of the basis."""
        return features @ self.basis.T

    def to(self, device: torch.device | str) -> "FeaturePca":
        """Moves the map to a device."""
        return FeaturePca(self.mean.to(device), self.basis.to(device))


def fit_feature_pca(
    classes: Float[Tensor, "classes dimensions"],
    vocabulary: Float[Tensor, "words dimensions"],
    channels: int,
    class_weight: float = 3.0,
) -> FeaturePca:
    """Fits the map: origin at the mean of the classes, principal axes of classes and vocabulary together.

    Args:
        classes: Unit embeddings of the classes.
        vocabulary: Unit embeddings of general words, so that the space can tell apart more than the classes.
        channels: Number of components kept, at most the number of rows and of dimensions.
        class_weight: How much longer a class's deviation counts than a word's; about 3 keeps the classes
            exact in 32
            components.

    Returns:
        The map, with the sign of each component fixed (largest entry positive).
    """
    mean = classes.mean(dim=0)
    rows = torch.cat([class_weight * (classes - mean), vocabulary - mean])
    axes = torch.linalg.svd(rows.double(), full_matrices=False).Vh[:channels]
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    return FeaturePca(mean, (axes * largest.sign()).T.float().contiguous())
