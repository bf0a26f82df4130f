"""The text space of this package's own checkpoints: each text is weighed against what it should not be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.encoders import TextEncoder
from distillnerf_core.language.scoring import DEFAULT_TEMPERATURE, keep_negatives, score


@dataclass(frozen=True)
class ContrastedTexts:
    """Texts and negatives as features; the texts do not compete with each other.

    Attributes:
        texts: Features of the texts.
        negatives: Features of all negatives.
        kept: Which negatives count for which text.
        temperature: Softmax temperature.
    """

    texts: Float[Tensor, "texts channels"]
    negatives: Float[Tensor, "negatives channels"]
    kept: Bool[Tensor, "texts negatives"]
    temperature: float

    def score(self, features: Float[Tensor, "points channels"]) -> Float[Tensor, "texts points"]:
        """Scores features against every text, in [0, 1]."""
        return score(features, self.texts, self.negatives, self.kept, self.temperature)


@dataclass(frozen=True)
class CodecTextSpace:
    """A checkpoint's codec and the encoder that it was made with.

    Attributes:
        codec: Language part of the checkpoint.
        encoder: Text encoder, loaded at the first text.
    """

    codec: FeatureCodec
    encoder: TextEncoder

    @property
    def class_features(self) -> Float[Tensor, "classes channels"]:
        """Unit features of the 17 Occ3D classes and, last, the sky."""
        return self.codec.class_features

    def voxel_features(self, rows: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """Returns what the field holds: voxels and images mean the same."""
        return rows

    def encode_query(
        self,
        texts: Sequence[str],
        negatives: Sequence[str] = (),
        default_negatives: Sequence[str] = (),
        temperature: float | None = None,
    ) -> ContrastedTexts:
        """Embeds a question's texts and chooses its negatives.

        Negatives of the caller all count. Without them, the classes count except the one that means the same as
        the text, and the default negatives count always.

        Raises:
            LanguageError: If the encoder's files are missing or it does not fit the checkpoint.
        """
        wanted = self.codec.encode_text(self.encoder, texts)
        words = negatives or default_negatives
        unwanted = self.codec.encode_text(self.encoder, words) if words else wanted[:0]
        kept = torch.ones(len(wanted), len(unwanted), dtype=torch.bool, device=wanted.device)
        if not negatives:
            kept = torch.cat((keep_negatives(wanted, self.class_features), kept), dim=1)
            unwanted = torch.cat((self.class_features, unwanted))
        return ContrastedTexts(wanted, unwanted, kept, DEFAULT_TEMPERATURE if temperature is None else temperature)

    @property
    def name(self) -> str:
        """Name of the text encoder."""
        return self.codec.encoder_name

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "texts channels"]:
        """Embeds texts as features of length at most 1.

        Raises:
            LanguageError: As :meth:`encode_query`.
        """
        return self.codec.encode_text(self.encoder, texts)

    def encode_classes(self, prompts: Sequence[Sequence[str]]) -> Float[Tensor, "classes channels"]:
        """Embeds classes, given by their words, as unit features.

        Raises:
            LanguageError: As :meth:`encode_query`.
        """
        return self.codec.encode_classes(self.encoder, prompts)

    def contrast_classes(self, classes: Float[Tensor, "classes channels"]) -> ContrastedTexts:
        """Returns the question which of the classes a feature shows: a softmax over all of them."""
        others = ~torch.eye(len(classes), dtype=torch.bool, device=classes.device)
        return ContrastedTexts(classes, classes, others, DEFAULT_TEMPERATURE)

    def to(self, device: torch.device | str) -> "CodecTextSpace":
        """Moves the features to a device; the encoder stays on the CPU."""
        return replace(self, codec=self.codec.to(device))
