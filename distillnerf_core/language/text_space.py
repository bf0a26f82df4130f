"""The space in which the features of a scene and texts are compared, of whatever kind the checkpoint is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import LanguageError


@runtime_checkable
class EncodedQuery(Protocol):
    """A question as features, ready to score any number of voxels or pixels."""

    def score(self, features: Float[Tensor, "points channels"]) -> Float[Tensor, "texts points"]:
        """Scores features of any length against every text of the question, in [0, 1]."""


@runtime_checkable
class TextSpace(Protocol):
    """What a checkpoint knows about texts."""

    @property
    def class_features(self) -> Float[Tensor, "classes channels"] | None:
        """Unit features of the 17 Occ3D classes and, last, the sky; None where no text is known."""

    def voxel_features(self, rows: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """Maps what a field holds to what its rendered images hold, which texts are compared with."""

    def encode_query(
        self,
        texts: Sequence[str],
        negatives: Sequence[str] = (),
        default_negatives: Sequence[str] = (),
        temperature: float | None = None,
    ) -> EncodedQuery:
        """Embeds a question.

        Args:
            texts: What to look for.
            negatives: What an answer must beat.
            default_negatives: What it must beat beside the classes, where the space compares with them.
            temperature: Softmax temperature; None: the space's own.

        Raises:
            LanguageError: If no text can be compared with this checkpoint, or the encoder's files are missing.
        """

    @property
    def name(self) -> str:
        """Name of the text encoder."""

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "texts channels"]:
        """Embeds texts as features, as they are compared with those of a scene.

        Raises:
            LanguageError: As :meth:`encode_query`.
        """

    def encode_classes(self, prompts: Sequence[Sequence[str]]) -> Float[Tensor, "classes channels"]:
        """Embeds classes, each given by words that are averaged, as unit features.

        Raises:
            LanguageError: As :meth:`encode_query`.
        """

    def contrast_classes(self, classes: Float[Tensor, "classes channels"]) -> EncodedQuery:
        """Returns the question which of some classes a feature shows; the scores of all add up to 1."""

    def to(self, device: torch.device | str) -> "TextSpace":
        """Moves the features to a device."""


@dataclass(frozen=True)
class NoTexts:
    """Stands where no text can be compared with the features: no labels, no answers, and a reason.

    Attributes:
        reason: What is missing, where it comes from, and what that costs.
        faulty: Whether it was meant to work: files were given, and they cannot be used.
    """

    reason: str
    faulty: bool = False

    @property
    def class_features(self) -> None:
        """No classes are known."""
        return

    def voxel_features(self, rows: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """Returns what the field holds."""
        return rows

    def encode_query(
        self,
        texts: Sequence[str],
        negatives: Sequence[str] = (),
        default_negatives: Sequence[str] = (),
        temperature: float | None = None,
    ) -> NoReturn:
        """Says why no text is answered.

        Raises:
            LanguageError: Always.
        """
        raise LanguageError(self.reason)

    @property
    def name(self) -> str:
        """No text encoder."""
        return ""

    def encode_texts(self, texts: Sequence[str]) -> NoReturn:
        """Says why no text is embedded.

        Raises:
            LanguageError: Always.
        """
        raise LanguageError(self.reason)

    def encode_classes(self, prompts: Sequence[Sequence[str]]) -> NoReturn:
        """Says why no class is embedded.

        Raises:
            LanguageError: Always.
        """
        raise LanguageError(self.reason)

    def contrast_classes(self, classes: Float[Tensor, "classes channels"]) -> NoReturn:
        """Says why no class is compared.

        Raises:
            LanguageError: Always.
        """
        raise LanguageError(self.reason)

    def to(self, device: torch.device | str) -> "NoTexts":
        """Returns itself."""
        return self
