"""The text space of CLIP features (reference network, section 4.8): texts compete with each other."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.affine_compression import AffineCompression, load_affine_compression
from distillnerf_core.language.clip_text import REPOSITORY, ClipTextEncoder
from distillnerf_core.language.image_features import ImageFeatures
from distillnerf_core.language.prompts import CLASS_PROMPTS
from distillnerf_core.language.scoring import keep_negatives
from distillnerf_core.language.text_space import NoTexts, TextSpace

TEMPERATURE = 0.001
"""Published softmax temperature over the list of a query."""
WITHOUT_TEXTS = (
    "without texts, --query and /query_text get no answer, there are no semantic images, and what is occupied is "
    "labelled `others`; depth and occupancy are as ever"
)
"""What a network without language costs its user."""
_FOLDER_WANTED = (
    f"clip_folder, the Hugging Face folder of CLIP (where there is internet: hf download {REPOSITORY} --local-dir DIR)"
)
_COMPRESSION_WANTED = "clip_compression, the file clip_reduction_pca.npz that is published with the checkpoint"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CompetingTexts:
    """A list of texts that compete for every point; the first ones are asked for.

    Attributes:
        words: Reduced texts, then what competes with them; their length does not count.
        count: Number of texts asked for.
        temperature: Softmax temperature.
    """

    words: Float[Tensor, "words channels"]
    count: int
    temperature: float

    def score(self, features: Float[Tensor, "points channels"]) -> Float[Tensor, "texts points"]:
        """Scores features of any length: softmax over the words of the cosines in the reduced space.

        score_i = exp(cos(f, w_i) / T) / sum_j exp(cos(f, w_j) / T). A feature of zero scores all words alike.
        """
        cosine = normalize(self.words, dim=-1) @ normalize(features, dim=-1).T
        return torch.softmax(cosine / self.temperature, dim=0)[: self.count]


@dataclass(frozen=True)
class ClipTextSpace:
    """CLIP's text tower behind the affine reduction that the features of a checkpoint were trained with.

    Attributes:
        encoder: CLIP's text tower.
        compression: Reduction to the channels of the features.
        class_features: Unit features of the 17 Occ3D classes and, last, the sky.
        rescaled: Whether images show 2 f - 1 of the field's f, as those of the published feature head do.
    """

    encoder: ClipTextEncoder
    compression: AffineCompression
    class_features: Float[Tensor, "classes channels"]
    rescaled: bool = True

    def voxel_features(self, rows: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """Maps what the field holds to what an opaque voxel shows in a rendered image."""
        return 2.0 * rows - 1.0 if self.rescaled else rows

    def encode_query(
        self,
        texts: Sequence[str],
        negatives: Sequence[str] = (),
        default_negatives: Sequence[str] = (),
        temperature: float | None = None,
    ) -> CompetingTexts:
        """Embeds a question: its texts and negatives compete, and nothing else, as published.

        A text alone would score 1 everywhere. It competes with the classes that are no synonym of it and with
        the default negatives.

        Raises:
            LanguageError: If a text is empty.
        """
        words = self._reduce([*texts, *negatives])
        if len({*texts, *negatives}) == 1:
            words = torch.cat((words, self._classes_unlike(words[:1])))
            words = torch.cat((words, self._reduce(default_negatives))) if default_negatives else words
        return CompetingTexts(words, len(texts), TEMPERATURE if temperature is None else temperature)

    @property
    def name(self) -> str:
        """Name of the text encoder."""
        return self.encoder.name

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "texts channels"]:
        """Embeds texts as reduced features; their length does not count.

        Raises:
            LanguageError: If a text is empty.
        """
        return self._reduce(texts)

    def encode_classes(self, prompts: Sequence[Sequence[str]]) -> Float[Tensor, "classes channels"]:
        """Embeds classes, given by their words, as unit features.

        Raises:
            LanguageError: If a word is empty.
        """
        return _mean_features(self.compression, self.encoder, prompts)

    def contrast_classes(self, classes: Float[Tensor, "classes channels"]) -> CompetingTexts:
        """Returns the question which of the classes a feature shows: they compete with each other."""
        return CompetingTexts(classes, len(classes), TEMPERATURE)

    def to(self, device: torch.device | str) -> "ClipTextSpace":
        """Moves the features to a device; the text tower stays on the CPU."""
        return replace(self, compression=self.compression.to(device), class_features=self.class_features.to(device))

    def _reduce(self, words: Sequence[str]) -> Float[Tensor, "words channels"]:
        return self.compression.encode_queries(self.encoder, words)

    def _classes_unlike(self, word: Float[Tensor, "1 channels"]) -> Float[Tensor, "classes channels"]:
        """Leaves out the class that means the same; what all classes have in common says nothing about that."""
        common = self.class_features.mean(dim=0)
        direction = normalize(normalize(word, dim=-1) - common, dim=-1)
        return self.class_features[keep_negatives(direction, self.class_features - common)[0]]


def open_clip_space(folder: Path | None, compression: Path | None, channels: int) -> TextSpace:
    """Opens the text space of a published CLIP checkpoint, whose files the user has to give.

    Args:
        folder: Hugging Face folder of the CLIP model; None where none was given.
        compression: PCA file of the checkpoint; None where none was given.
        channels: Channels of the checkpoint's features.

    Returns:
        The space, on the CPU; `NoTexts` where a file is missing or unusable, with the reason.
    """
    if folder is None or compression is None:
        wanted = [(folder, _FOLDER_WANTED), (compression, _COMPRESSION_WANTED)]
        missing = " and ".join(what for given, what in wanted if given is None)
        reason = f"to compare this checkpoint's CLIP features with texts, give {missing}; {WITHOUT_TEXTS}"
        return NoTexts(reason, faulty=folder is not None or compression is not None)
    try:
        return _load(ClipTextEncoder(folder), _read_compression(compression, channels), rescaled=True)
    except LanguageError as err:
        return NoTexts(f"{err}; {WITHOUT_TEXTS}", faulty=True)


def open_trained_clip_space(folder: Path | None, features: ImageFeatures) -> TextSpace:
    """Opens the text space of a checkpoint of this package that was trained on features of CLIP.

    Args:
        folder: Hugging Face folder of the CLIP model; None where none was given.
        features: The checkpoint's features, with their compression.

    Returns:
        The space, on the CPU; `NoTexts` where the folder is missing or unusable, with the reason.
    """
    if folder is None:
        return NoTexts(f"to compare this checkpoint's CLIP features with texts, give {_FOLDER_WANTED}; {WITHOUT_TEXTS}")
    compression = features.compression or AffineCompression(
        torch.eye(features.channels), torch.zeros(features.channels), torch.ones(features.channels)
    )
    try:
        return _load(ClipTextEncoder(folder), compression.to("cpu"), rescaled=False)
    except LanguageError as err:
        return NoTexts(f"{err}; {WITHOUT_TEXTS}", faulty=True)


def _read_compression(file: Path, channels: int) -> AffineCompression:
    compression = load_affine_compression(file)
    found = compression.reduction.shape[1]
    if found != channels:
        raise LanguageError(
            f"feature compression {file} gives {found} channels, the checkpoint's features have {channels}: use the "
            "file that came with this checkpoint"
        )
    return compression


def _load(encoder: ClipTextEncoder, compression: AffineCompression, rescaled: bool) -> ClipTextSpace:
    classes = _mean_features(compression, encoder, tuple(CLASS_PROMPTS.values()))
    _LOGGER.info("texts compete with each other for every point; a text alone competes with the class words")
    return ClipTextSpace(encoder, compression, classes, rescaled)


def _mean_features(
    compression: AffineCompression, encoder: ClipTextEncoder, prompts: Sequence[Sequence[str]]
) -> Float[Tensor, "classes channels"]:
    """Takes the mean over each class's words; nearest_class and a lone text are judged by it."""
    # All words at once, which is several times faster than class by class.
    words = compression.encode_queries(encoder, [word for words in prompts for word in words])
    classes = torch.split(normalize(words, dim=-1), [len(words) for words in prompts])
    return normalize(torch.stack([rows.mean(dim=0) for rows in classes]), dim=-1)
