import pytest
import torch

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.text_cache import TextCache


def test_each_text_is_embedded_once_and_new_ones_together() -> None:
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> torch.Tensor:
        asked.append(texts)
        return torch.tensor([[float(len(text))] for text in texts])

    cache = TextCache(embed, 2)
    assert cache.embeddings(["a", "bb", "a"]).tolist() == [[1.0], [2.0], [1.0]]
    assert cache.embeddings(["bb", "ccc"]).tolist() == [[2.0], [3.0]]
    assert cache.embeddings(["ccc", "bb", "a"]).tolist() == [[3.0], [2.0], [1.0]]
    assert asked == [["a", "bb"], ["ccc"], ["a"]]


@pytest.mark.parametrize("texts", [[], [""], ["car", "  "]])
def test_an_empty_text_is_refused(texts: list[str]) -> None:
    with pytest.raises(LanguageError, match="text"):
        TextCache(lambda new: torch.zeros(len(new), 1), 2).embeddings(texts)
