import logging
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.clip_text import ClipTextEncoder
from distillnerf_core.language.encoders import TextEncoder

transformers: Any = pytest.importorskip("transformers")
_PICKLE = "pytorch_model.bin"


@pytest.fixture(scope="module")
def tower() -> Any:
    """A random CLIP, text and image, at a size for tests."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    text = {**sizes, "vocab_size": 54, "max_position_embeddings": 12, "projection_dim": 10}
    special = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    vision = {**sizes, "image_size": 8, "patch_size": 4, "projection_dim": 10}
    config = transformers.CLIPConfig(text_config={**text, **special}, vision_config=vision, projection_dim=10)
    return transformers.CLIPModel(config).eval()


@pytest.fixture(scope="module")
def folder(tower: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random CLIP as a Hugging Face folder, with a tokenizer of single letters."""
    letters = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
    vocabulary = {token: index for index, token in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    path = tmp_path_factory.mktemp("clip")
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(path)
    tower.save_pretrained(path)
    return path


def _copy(folder: Path, target: Path, without: str) -> Path:
    for file in folder.iterdir():
        if file.name != without:
            (target / file.name).write_bytes(file.read_bytes())
    return target


def test_embeddings_equal_those_of_the_whole_model(folder: Path, tower: Any) -> None:
    encoder = ClipTextEncoder(folder)
    found = encoder.embed(["car", "a bus"])
    tokens = torch.tensor([[52, 2, 0, 17 + 26, 53, 53], [52, 0 + 26, 1, 20, 18 + 26, 53]])
    with torch.no_grad():
        states = tower.text_model(input_ids=tokens).pooler_output
        expected = tower.text_projection(states)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert float((found.norm(dim=1) - 1).abs().min()) > 1e-3
    torch.testing.assert_close(encoder.encode(["car", "a bus"]), torch.nn.functional.normalize(expected, dim=1))


def test_weights_may_be_a_pickle_of_tensors(folder: Path, tower: Any, tmp_path: Path) -> None:
    path = _copy(folder, tmp_path, without="model.safetensors")
    torch.save({**tower.state_dict(), "text_model.embeddings.position_ids": torch.arange(12)[None]}, path / _PICKLE)
    assert torch.equal(ClipTextEncoder(path).embed(["car"]), ClipTextEncoder(folder).embed(["car"]))


def test_it_is_a_text_encoder(folder: Path) -> None:
    encoder: TextEncoder = ClipTextEncoder(folder)
    assert isinstance(encoder, TextEncoder)
    assert encoder.name == "openai/clip-vit-large-patch14-336"


def test_loading_is_late_silent_and_done_once(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = ClipTextEncoder(folder)
    with caplog.at_level(logging.INFO):
        capfd.readouterr()
        first = encoder.embed(["car", "bus", "car"])
        assert torch.equal(encoder.embed(["car"]), first[:1])
    assert [record.name for record in caplog.records if record.levelno >= logging.INFO] == [
        "distillnerf_core.language.clip_text"
    ]
    assert capfd.readouterr() == ("", "")


def test_long_texts_are_cut_and_the_case_does_not_count(folder: Path) -> None:
    encoder = ClipTextEncoder(folder, cache_size=1)
    found = encoder.embed(["x" * 40, "x" * 50, "CAR", "car"])
    assert bool(found.isfinite().all())
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[2], found[3])


@pytest.mark.parametrize("texts", [[], [""], ["car", "  "]])
def test_an_empty_text_is_refused(folder: Path, texts: list[str]) -> None:
    with pytest.raises(LanguageError, match="text"):
        ClipTextEncoder(folder).embed(texts)


def test_a_missing_folder_names_the_download(tmp_path: Path) -> None:
    with pytest.raises(LanguageError, match=r"none does not exist.*hf download openai/clip-vit-large-patch14-336"):
        ClipTextEncoder(tmp_path / "none").embed(["car"])
    with pytest.raises(LanguageError, match=r"lacks config.json, model.safetensors or pytorch_model.bin, tok"):
        ClipTextEncoder(tmp_path).embed(["car"])


def test_damaged_weights_are_a_clear_error(folder: Path, tmp_path: Path) -> None:
    path = _copy(folder, tmp_path, without="model.safetensors")
    (path / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(LanguageError, match="cannot load CLIP"):
        ClipTextEncoder(path).embed(["car"])


def test_weights_without_a_projection_are_refused(folder: Path, tower: Any, tmp_path: Path) -> None:
    path = _copy(folder, tmp_path, without="model.safetensors")
    weights = {key: value for key, value in tower.state_dict().items() if key != "text_projection.weight"}
    torch.save(weights, path / _PICKLE)
    with pytest.raises(LanguageError, match=r"lack 1 tensors.*text_projection"):
        ClipTextEncoder(path).embed(["car"])


class _Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_pickled_code_is_not_executed(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = _copy(folder, tmp_path, without="model.safetensors")
    torch.save({"a": _Malicious()}, path / _PICKLE)
    with pytest.raises(LanguageError, match="cannot load CLIP"):
        ClipTextEncoder(path).embed(["car"])
    assert "executed" not in capfd.readouterr().out


def test_the_module_imports_without_transformers() -> None:
    code = "import sys, distillnerf_core.language.affine_compression; assert 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
