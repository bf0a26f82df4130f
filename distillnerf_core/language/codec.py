"""What a checkpoint knows about language: the compression and the feature of every class."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.errors import CheckpointError, LanguageError
from distillnerf_core.language.compression import FeaturePca, fit_feature_pca
from distillnerf_core.language.encoders import TextEncoder
from distillnerf_core.language.prompts import CLASS_PROMPTS, embed_classes, embed_words
from distillnerf_core.language.vocabulary import VOCABULARY

DEFAULT_CHANNELS = 24
"""Channels of a language feature."""


@dataclass(frozen=True)
class FeatureCodec:
    """Translates between texts, classes and the language features of a scene field.

    Attributes:
        pca: Compression of text embeddings.
        class_features: Unit features of the 17 Occ3D classes and, last, the sky; the teacher of every pixel.
        class_names: Names of the rows of class_features.
        encoder_name: Embedding space that the features live in.
    """

    pca: FeaturePca
    class_features: Float[Tensor, "classes channels"]
    class_names: tuple[str, ...]
    encoder_name: str

    @property
    def channels(self) -> int:
        """Number of channels of a language feature."""
        return int(self.class_features.shape[1])

    def encode_text(self, encoder: TextEncoder, texts: Sequence[str]) -> Float[Tensor, "texts channels"]:
        """Embeds texts as features of length at most 1 (see :meth:`FeaturePca.reduce`).

        Raises:
            LanguageError: If a text is empty or the encoder belongs to another embedding space.
        """
        self._check(encoder)
        return self.pca.reduce(embed_words(encoder, texts).to(self.class_features.device))

    def encode_classes(
        self, encoder: TextEncoder, prompts: Sequence[Sequence[str]]
    ) -> Float[Tensor, "classes channels"]:
        """Embeds classes, given by their words, as unit features; those of CLASS_PROMPTS give `class_features`.

        Raises:
            LanguageError: As :meth:`encode_text`.
        """
        self._check(encoder)
        return normalize(self.pca.reduce(embed_classes(encoder, prompts).to(self.class_features.device)), dim=-1)

    def to(self, device: torch.device | str) -> "FeatureCodec":
        """Moves the codec to a device."""
        return FeatureCodec(self.pca.to(device), self.class_features.to(device), self.class_names, self.encoder_name)

    def _check(self, encoder: TextEncoder) -> None:
        if encoder.name != self.encoder_name:
            raise LanguageError(
                f"the checkpoint's features belong to text encoder {self.encoder_name!r}, not to "
                f"{encoder.name!r}: use a checkpoint trained with that encoder"
            )

    def to_state(self) -> dict[str, Tensor]:
        """Gives the codec as named tensors for a checkpoint; names are stored as UTF-8 JSON bytes."""
        info = json.dumps({"class_names": self.class_names, "encoder_name": self.encoder_name}).encode()
        return {
            "mean": self.pca.mean.cpu().contiguous(),
            "basis": self.pca.basis.cpu().contiguous(),
            "class_features": self.class_features.cpu().contiguous(),
            "info": torch.tensor(list(info), dtype=torch.uint8),
        }


def codec_from_state(state: Mapping[str, Tensor]) -> FeatureCodec:
    """Restores a codec from :meth:`FeatureCodec.to_state`.

    Raises:
        CheckpointError: If a tensor is missing or the shapes do not belong together.
    """
    missing = [name for name in ("mean", "basis", "class_features", "info") if name not in state]
    if missing:
        raise CheckpointError(f"language part of the checkpoint lacks {', '.join(missing)}: train or download it again")
    mean, basis, features = state["mean"], state["basis"], state["class_features"]
    if mean.shape != basis.shape[:1] or basis.shape[1:] != features.shape[1:]:
        raise CheckpointError(
            f"language part of the checkpoint: shapes mean {tuple(mean.shape)}, basis {tuple(basis.shape)}, "
            f"class_features {tuple(features.shape)} do not belong together"
        )
    try:
        info = json.loads(bytes(state["info"].tolist()))
        names, encoder_name = tuple(info["class_names"]), str(info["encoder_name"])
    except (ValueError, KeyError, TypeError) as err:
        raise CheckpointError(f"language part of the checkpoint: unreadable info ({err})") from err
    if len(names) != len(features):
        raise CheckpointError(f"language part of the checkpoint: {len(names)} names for {len(features)} classes")
    return FeatureCodec(FeaturePca(mean, basis), features, names, encoder_name)


def create_feature_codec(encoder: TextEncoder, channels: int = DEFAULT_CHANNELS) -> FeatureCodec:
    """Builds the codec of a new training run from the class prompts and the vocabulary.

    Args:
        encoder: Text encoder whose space is compressed.
        channels: Channels of a language feature; 24 to 48 are sensible.

    Raises:
        LanguageError: If there are more channels than texts or dimensions, or the encoder's files are
            missing.
    """
    classes = embed_classes(encoder)
    vocabulary = embed_words(encoder, VOCABULARY)
    limit = min(len(classes) + len(vocabulary), classes.shape[1])
    if not 1 <= channels <= limit:
        raise LanguageError(f"language channels: expected 1 to {limit}, got {channels}")
    pca = fit_feature_pca(classes, vocabulary, channels)
    return FeatureCodec(pca, normalize(pca.reduce(classes), dim=-1), tuple(CLASS_PROMPTS), encoder.name)
