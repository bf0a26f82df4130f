import json
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


def _copy(folder: Path, target: Path, without: str) -> Path:
    for file in folder.iterdir():
        if file.name != without:
            (target / file.name).write_bytes(file.read_bytes())
    return target


def test_embeddings_equal_those_of_the_whole_model(clip_folder: Path, clip_model: Any) -> None:
    encoder = ClipTextEncoder(clip_folder)
    found = encoder.embed(["car", "a bus"])
    tokens = torch.tensor([[52, 2, 0, 17 + 26, 53, 53], [52, 0 + 26, 1, 20, 18 + 26, 53]])
    with torch.no_grad():
        states = clip_model.text_model(input_ids=tokens).pooler_output
        expected = clip_model.text_projection(states)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert float((found.norm(dim=1) - 1).abs().min()) > 1e-3
    torch.testing.assert_close(encoder.encode(["car", "a bus"]), torch.nn.functional.normalize(expected, dim=1))


def test_weights_may_be_a_pickle_of_tensors(clip_folder: Path, clip_model: Any, tmp_path: Path) -> None:
    path = _copy(clip_folder, tmp_path, without="model.safetensors")
    torch.save(
        {**clip_model.state_dict(), "text_model.embeddings.position_ids": torch.arange(12)[None]}, path / _PICKLE
    )
    assert torch.equal(ClipTextEncoder(path).embed(["car"]), ClipTextEncoder(clip_folder).embed(["car"]))


def test_it_is_a_text_encoder(clip_folder: Path) -> None:
    encoder: TextEncoder = ClipTextEncoder(clip_folder)
    assert isinstance(encoder, TextEncoder)
    assert encoder.name == "openai/clip-vit-large-patch14-336"


def test_loading_is_late_silent_and_done_once(
    clip_folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = ClipTextEncoder(clip_folder)
    with caplog.at_level(logging.INFO):
        capfd.readouterr()
        first = encoder.embed(["car", "bus", "car"])
        assert torch.equal(encoder.embed(["car"]), first[:1])
    assert [record.name for record in caplog.records if record.levelno >= logging.INFO] == [
        "distillnerf_core.language.clip_text"
    ]
    assert capfd.readouterr() == ("", "")


def test_long_texts_are_cut_and_the_case_does_not_count(clip_folder: Path) -> None:
    encoder = ClipTextEncoder(clip_folder, cache_size=1)
    found = encoder.embed(["x" * 40, "x" * 50, "CAR", "car"])
    assert bool(found.isfinite().all())
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[2], found[3])


@pytest.mark.parametrize("texts", [[], [""], ["car", "  "]])
def test_an_empty_text_is_refused(clip_folder: Path, texts: list[str]) -> None:
    with pytest.raises(LanguageError, match="text"):
        ClipTextEncoder(clip_folder).embed(texts)


def test_a_missing_folder_names_the_download(tmp_path: Path) -> None:
    with pytest.raises(LanguageError, match=r"none does not exist.*hf download openai/clip-vit-large-patch14-336"):
        ClipTextEncoder(tmp_path / "none").embed(["car"])
    with pytest.raises(LanguageError, match=r"lacks config.json, model.safetensors or pytorch_model.bin, tok"):
        ClipTextEncoder(tmp_path).embed(["car"])


def test_damaged_weights_are_a_clear_error(clip_folder: Path, tmp_path: Path) -> None:
    path = _copy(clip_folder, tmp_path, without="model.safetensors")
    (path / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(LanguageError, match="cannot load CLIP"):
        ClipTextEncoder(path).embed(["car"])


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_description_is_a_clear_error(clip_folder: Path, tmp_path: Path, name: str) -> None:
    path = _copy(clip_folder, tmp_path, without=name)
    (path / name).write_text("[]")
    with pytest.raises(LanguageError, match="cannot load CLIP"):
        ClipTextEncoder(path).embed(["car"])


def test_the_tokenizer_of_another_model_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    path = _copy(clip_folder, tmp_path, without="tokenizer.json")
    vocabulary = {token: index for index, token in enumerate([*string.printable, "<|startoftext|>", "<|endoftext|>"])}
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(path)
    with pytest.raises(LanguageError, match="102 and 54 tokens"):
        ClipTextEncoder(path).embed(["car"])


def test_the_end_of_a_text_may_be_named_as_openai_does(clip_folder: Path, tmp_path: Path) -> None:
    path = _copy(clip_folder, tmp_path, without="config.json")
    config = json.loads((clip_folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 2
    (path / "config.json").write_text(json.dumps(config))
    texts = ["car", "a longer text"]
    assert torch.equal(ClipTextEncoder(path).embed(texts), ClipTextEncoder(clip_folder).embed(texts))
    config["text_config"]["eos_token_id"] = 5
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(LanguageError, match="end of text 53 and 5"):
        ClipTextEncoder(path).embed(texts)


def test_weights_without_a_projection_are_refused(clip_folder: Path, clip_model: Any, tmp_path: Path) -> None:
    path = _copy(clip_folder, tmp_path, without="model.safetensors")
    weights = {key: value for key, value in clip_model.state_dict().items() if key != "text_projection.weight"}
    torch.save(weights, path / _PICKLE)
    with pytest.raises(LanguageError, match=r"lack 1 tensors.*text_projection"):
        ClipTextEncoder(path).embed(["car"])


class _Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_pickled_code_is_not_executed(clip_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = _copy(clip_folder, tmp_path, without="model.safetensors")
    torch.save({"a": _Malicious()}, path / _PICKLE)
    with pytest.raises(LanguageError, match="cannot load CLIP"):
        ClipTextEncoder(path).embed(["car"])
    assert "executed" not in capfd.readouterr().out


def test_the_module_imports_without_transformers() -> None:
    code = "import sys, distillnerf_core.language.affine_compression; assert 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
