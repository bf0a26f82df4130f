"""English words that stand for each class: the teacher texts of training and the negatives of a query.

The words that the evaluation asks with (automobile, lorry, person walking, oak tree, greenery, house,
apartment block, street, asphalt, ...) are deliberately absent: that is what makes the test of
open-vocabulary queries a test.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.language.encoders import TextEncoder

TEMPLATES: tuple[str, ...] = ("{}", "a {}", "a photo of a {}")
"""Sentences a word is put into; the embeddings are averaged."""

GENERIC_NEGATIVES: tuple[str, ...] = ("object", "things", "stuff", "texture")
"""Words that mean nothing in particular; an answer has to beat them, as in LERF."""

_BATCH = 32
"""Words embedded at once: many are several times faster than one, and take memory."""

CLASS_PROMPTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "others": ("debris", "animal"),
        "barrier": ("barrier", "jersey barrier", "barricade"),
        "bicycle": ("bicycle", "bicycles", "bike"),
        "bus": ("bus", "buses"),
        "car": ("car", "cars", "sedan", "passenger car"),
        "construction_vehicle": ("construction vehicle", "excavator", "bulldozer"),
        "motorcycle": ("motorcycle", "motorcycles", "motorbike"),
        "pedestrian": ("pedestrian", "pedestrians", "people", "human", "woman"),
        "traffic_cone": ("traffic cone", "road cone"),
        "trailer": ("trailer", "towed trailer"),
        "truck": ("truck", "trucks", "cargo truck", "heavy goods vehicle"),
        "driveable_surface": ("road", "roads", "roadway", "tarmac"),
        "other_flat": ("traffic island", "median strip"),
        "sidewalk": ("sidewalk", "sidewalks", "curb", "paved walkway"),
        "terrain": ("terrain", "grass", "lawn", "soil"),
        "manmade": ("building", "buildings", "facade", "wall", "traffic sign", "pole"),
        "vegetation": ("vegetation", "tree", "trees", "bush"),
        "sky": ("sky", "clouds"),
    }
)
"""Words of each class, in the order of the class ids; the eighteenth is the sky (pixel label 17)."""


def embed_words(encoder: TextEncoder, words: Sequence[str]) -> Float[Tensor, "words dimensions"]:
    """Embeds each word as the normalised mean over :data:`TEMPLATES`.

    Args:
        encoder: Text encoder.
        words: Words or phrases of a user or of the lists here.

    Returns:
        Unit vectors, one a word.

    Raises:
        LanguageError: If a text is empty or the encoder's files are missing.
    """
    sentences = [template.format(word) if word.strip() else "" for word in words for template in TEMPLATES]
    embeddings = encoder.encode(sentences)
    return normalize(embeddings.reshape(len(words), len(TEMPLATES), -1).mean(dim=1), dim=-1)


def embed_classes(
    encoder: TextEncoder, prompts: Iterable[Sequence[str]] = tuple(CLASS_PROMPTS.values())
) -> Float[Tensor, "classes dimensions"]:
    """Embeds each class as the normalised mean over its words, as unit vectors.

    Args:
        encoder: Text encoder.
        prompts: Words of each class; by default the eighteen of :data:`CLASS_PROMPTS`.
    """
    classes = [list(words) for words in prompts]
    words = [word for several in classes for word in several]
    batches = [embed_words(encoder, words[first : first + _BATCH]) for first in range(0, len(words), _BATCH)]
    parts = torch.split(torch.cat(batches), [len(several) for several in classes])
    means = [rows.mean(dim=0) for rows in parts]
    return normalize(torch.stack(means), dim=-1)
