"""The classes that voxels and pixels are labelled with: those of the checkpoint, or a user's own words."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.language.label_set import MAX_CLASSES, OCC3D_LABELS, Color, LabelSet
from distillnerf_core.language.text_space import TextSpace

RESERVED_NAMES = ("free", "unknown")
MAX_WORDS = 32
"""Most words that describe a class."""
MAX_CHARACTERS = 8192
"""Most characters of all words together: embedding them takes seconds."""
_GOLDEN_ANGLE = 0.618034


@dataclass(frozen=True)
class SemanticClasses:
    """A set of labels, and what features look like that deserve them.

    Attributes:
        labels: Names and colours.
        features: Unit features of the classes and, last, the sky, which only pixels show; None where the checkpoint
            compares with no texts: all that is occupied is then the first class.
    """

    labels: LabelSet
    features: Float[Tensor, "classes channels"] | None

    @property
    def solid_features(self) -> Float[Tensor, "classes channels"] | None:
        """Features of the classes without the sky."""
        return None if self.features is None else self.features[: len(self.labels.names)]


UNFELT_CLASSES = SemanticClasses(OCC3D_LABELS, None)
"""The classes of Occ3D, of which nobody knows what they look like."""


def checkpoint_classes(language: TextSpace) -> SemanticClasses:
    """Returns the classes that the checkpoint was trained on."""
    return SemanticClasses(OCC3D_LABELS, language.class_features)


def named_classes(
    language: TextSpace, names: Sequence[str], prompts: Sequence[str] = (), colors: Sequence[Color | None] = ()
) -> SemanticClasses:
    """Makes classes of a user's words.

    Args:
        language: Where the words are embedded.
        names: Name of each class.
        prompts: Words for each class, separated by "|", of which the mean is taken. Empty: the names, in which "_"
            counts as a space.
        colors: Colour of each class, RGB 0..255; None, or no colours at all: those of Occ3D for its names, and well
            spread ones for others.

    Raises:
        QueryError: If names are missing, double or reserved, the lists do not belong together, or are too long.
        LanguageError: If the checkpoint compares with no texts.
    """
    _check_names(names)
    for what, values in (("prompts", prompts), ("colors", colors)):
        if values and len(values) != len(names):
            raise QueryError(f"expected {len(names)} {what}, one for each name, or none, got {len(values)}")
    words = [_words(prompt, index) for index, prompt in enumerate(prompts or [_title(name) for name in names])]
    characters = sum(len(word) for several in words for word in several)
    if characters > MAX_CHARACTERS:
        raise QueryError(f"the words have {characters} characters together, more than {MAX_CHARACTERS}: shorten them")
    features = language.encode_classes(words)
    if language.class_features is not None:
        features = torch.cat((features, language.class_features[-1:]))
    chosen = [color or _default_color(name, index) for index, (name, color) in enumerate(_pairs(names, colors))]
    return SemanticClasses(LabelSet(tuple(names), tuple(map(_title, names)), tuple(chosen)), features)


def color_from_floats(red: float, green: float, blue: float, what: str) -> Color:
    """Returns a colour of 0..255 from one of 0..1.

    Raises:
        QueryError: Naming the colour, if a number is not in [0, 1].
    """
    if not all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in (red, green, blue)):
        raise QueryError(f"{what}: expected red, green and blue in [0, 1], got {red:g}, {green:g}, {blue:g}")
    return round(255 * red), round(255 * green), round(255 * blue)


def _check_names(names: Sequence[str]) -> None:
    if not 1 <= len(names) <= MAX_CLASSES:
        raise QueryError(f"expected 1 to {MAX_CLASSES} class names, got {len(names)}")
    for index, name in enumerate(names):
        if not name.strip():
            raise QueryError(f"names[{index}] is empty: name the class, for example 'forklift'")
        if name in RESERVED_NAMES:
            raise QueryError(f"names[{index}] is {name!r}, which is what voxels without a class are called")
        if name in names[:index]:
            raise QueryError(f"names[{index}] is {name!r} again: leave one out, and put its words into the prompt")


def _words(prompt: str, index: int) -> tuple[str, ...]:
    words = tuple(word.strip() for word in prompt.split("|"))
    if not all(words):
        raise QueryError(f"prompts[{index}] is {prompt!r}: expected words with '|' between them")
    if len(words) > MAX_WORDS:
        raise QueryError(f"prompts[{index}] holds {len(words)} words, more than {MAX_WORDS}: leave some out")
    return words


def _title(name: str) -> str:
    return name.replace("_", " ").strip() or name


def _pairs(names: Sequence[str], colors: Sequence[Color | None]) -> list[tuple[str, Color | None]]:
    return list(zip(names, colors or [None] * len(names), strict=True))


def _default_color(name: str, index: int) -> Color:
    if name in OCC3D_LABELS.names:
        return OCC3D_LABELS.colors[OCC3D_LABELS.names.index(name)]
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_ANGLE % 1.0, 0.75, 0.9 if index % 2 else 0.7)
    return round(255 * red), round(255 * green), round(255 * blue)
