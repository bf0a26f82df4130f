"""Embeddings of texts that were asked for before."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import LanguageError


class TextCache:
    """Remembers the embedding of each text; new ones are embedded together, each text once."""

    def __init__(self, embed: Callable[[list[str]], Tensor], size: int) -> None:
        """Makes an empty cache.

        Args:
            embed: Embeds texts, one row each.
            size: Number of texts remembered; the oldest is forgotten first.
        """
        self._embed = embed
        self._size = size
        self._known: dict[str, Tensor] = {}

    def embeddings(self, texts: Sequence[str]) -> Float[Tensor, "texts dimensions"]:
        """Returns one row for each text.

        Raises:
            LanguageError: If there is no text, or a text is empty.
        """
        check_texts(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        known = {text: self._known[text] for text in texts if text in self._known}
        if new:
            known.update(zip(new, self._embed(new), strict=True))
        self._known.update((text, known[text]) for text in new)
        while len(self._known) > self._size:
            del self._known[next(iter(self._known))]
        return torch.stack([known[text] for text in texts])


def check_texts(texts: Sequence[str]) -> None:
    """Refuses a list without texts, and texts without words.

    Raises:
        LanguageError: Naming the text.
    """
    if not texts:
        raise LanguageError("no text to encode: give at least one")
    for index, text in enumerate(texts):
        if not text.strip():
            raise LanguageError(f"text {index} is empty: write what to look for, for example 'car'")
