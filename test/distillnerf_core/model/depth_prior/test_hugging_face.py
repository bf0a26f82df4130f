import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
from distillnerf_core.model.depth_prior.hugging_face import load_depth_prior

_OLD_NAMES = (
    ("attention.q_proj", "attention.attention.query"),
    ("attention.k_proj", "attention.attention.key"),
    ("attention.v_proj", "attention.attention.value"),
    ("attention.o_proj", "attention.output.dense"),
)


@pytest.fixture(scope="module")
def model(create_depth_anything: Callable[[list[int]], Any]) -> Any:
    """A random Depth Anything v1 at a size for tests."""
    return create_depth_anything([2, 3, 4, 5])


@pytest.fixture
def folder(model: Any, tmp_path: Path) -> Path:
    """The model as `transformers` writes it."""
    model.save_pretrained(tmp_path)
    return tmp_path


def _fused(model: Any, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        maps = model.backbone(images).feature_maps
        fused: torch.Tensor = model.neck(maps, images.shape[-2] // 14, images.shape[-1] // 14)[-1]
    return fused


def _weights(model: Any, old_names: bool) -> dict[str, torch.Tensor]:
    weights = dict(model.state_dict())
    for new, old in _OLD_NAMES:
        pair = (new, old) if old_names else (old, new)
        weights = {key.replace(*pair): value for key, value in weights.items()}
    return weights


@pytest.mark.parametrize("form", ["as written", "old names", "new names"])
def test_the_fused_map_equals_that_of_transformers(
    model: Any, folder: Path, config: DepthPriorConfig, form: str
) -> None:
    if form != "as written":
        (folder / "model.safetensors").unlink()
        torch.save(_weights(model, form == "old names"), folder / "pytorch_model.bin")
    prior = load_depth_prior(folder, config)
    images = torch.randn(2, 3, 56, 56)  # the grid of the position embedding: nothing is interpolated
    with torch.no_grad():
        found = prior.head(prior.transformer(images))
    expected = _fused(model, images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_half_precision_weights_become_float32(model: Any, folder: Path, config: DepthPriorConfig) -> None:
    torch.save({key: value.half() for key, value in model.state_dict().items()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    prior = load_depth_prior(folder, config)
    assert {value.dtype for value in prior.state_dict().values()} == {torch.float32}
    assert prior(torch.rand(1, 3, 20, 36)).shape == (1, 16, 20, 36)
    assert not any(parameter.requires_grad for parameter in prior.parameters())


def test_depth_anything_v2_is_refused(
    create_depth_anything: Callable[[list[int]], Any], tmp_path: Path, config: DepthPriorConfig
) -> None:
    create_depth_anything([1, 2, 4, 5]).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"expected \(2, 3, 4, 5\), got \(1, 2, 4, 5\).*v1"):
        load_depth_prior(tmp_path, config)


def test_another_size_is_refused(folder: Path, config: DepthPriorConfig) -> None:
    with pytest.raises(CheckpointError, match="expected \\(9, 10, 11, 12\\)"):
        load_depth_prior(folder)
    heads = config.transformer.model_copy(update={"heads": 4})
    with pytest.raises(CheckpointError, match="attention heads: expected 4, got 2"):
        load_depth_prior(folder, config.model_copy(update={"transformer": heads}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone.encoder.layer.3.norm1.weight": None}, "missing transformer.blocks.3.attention_norm.weight"),
        ({"neck.convs.1.weight": torch.ones(2, 2)}, r"head.levels.1.lateral.weight has shape \(2, 2\)"),
        ({"backbone.register_tokens": torch.ones(1)}, "unexpected backbone.register_tokens"),
    ],
)
def test_tensors_that_do_not_fit_are_listed(
    model: Any, folder: Path, config: DepthPriorConfig, change: dict[str, torch.Tensor | None], message: str
) -> None:
    weights = {**_weights(model, old_names=True), **change}
    (folder / "model.safetensors").unlink()
    torch.save({key: value for key, value in weights.items() if value is not None}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=f"1 tensors do not fit.*{message}"):
        load_depth_prior(folder, config)


def test_what_is_missing_is_named_with_the_download(folder: Path, config: DepthPriorConfig) -> None:
    with pytest.raises(CheckpointError, match=r"none/config\.json.*hf download LiheYoung/depth-anything-base-hf"):
        load_depth_prior(folder / "none", config)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_depth_prior(folder, config)


def test_damaged_files_are_clear_errors(folder: Path, config: DepthPriorConfig) -> None:
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(CheckpointError, match=r"cannot read .*model\.safetensors"):
        load_depth_prior(folder, config)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"cannot read .*config\.json"):
        load_depth_prior(folder, config)
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(CheckpointError, match="not a Depth Anything model"):
        load_depth_prior(folder, config)


class _Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_pickled_code_is_not_executed(
    folder: Path, config: DepthPriorConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": _Malicious()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"cannot read .*pytorch_model\.bin"):
        load_depth_prior(folder, config)
    assert capsys.readouterr().out == ""


def test_the_module_imports_without_transformers() -> None:
    code = "import sys, distillnerf_core.model.depth_prior.hugging_face; assert 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
