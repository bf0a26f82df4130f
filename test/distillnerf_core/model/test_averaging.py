"""A predictor between two others has weights between theirs."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from distillnerf_core.cli.average import app
from distillnerf_core.errors import CheckpointError
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.model.averaging import average_predictors
from distillnerf_core.model.checkpoint import load_predictor, save_predictor
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor


def write(path: Path, config: PredictorConfig, codec: FeatureCodec, seed: int) -> Path:
    torch.manual_seed(seed)
    save_predictor(path, config, ScenePredictor(config).state_dict(), codec, {"seed": seed})
    return path


def test_weights_lie_on_the_line_between(
    small_architecture: PredictorConfig, codec: FeatureCodec, tmp_path: Path
) -> None:
    first = write(tmp_path / "first.safetensors", small_architecture, codec, 1)
    second = write(tmp_path / "second.safetensors", small_architecture, codec, 2)
    out = tmp_path / "between.safetensors"
    done = CliRunner().invoke(app, [str(second), "--before", str(first), "--share", "0.25", "--out", str(out)])
    assert done.exception is None, done.output
    one, two, between = (load_predictor(path) for path in (first, second, out))
    target = two.predictor.state_dict()
    found = between.predictor.state_dict()
    for name, value in one.predictor.state_dict().items():
        torch.testing.assert_close(found[name], 0.75 * value + 0.25 * target[name], rtol=2e-3, atol=2e-4)
    assert between.provenance == {"seed": 2, "averaged": {"with": "first.safetensors", "share": 0.25}}


def test_what_does_not_fit_together_is_refused(
    small_architecture: PredictorConfig, codec: FeatureCodec, tmp_path: Path
) -> None:
    first = write(tmp_path / "first.safetensors", small_architecture, codec, 1)
    other = small_architecture.model_copy(update={"feature_channels": 8})
    second = write(tmp_path / "second.safetensors", other, codec, 2)
    with pytest.raises(CheckpointError, match="architecture"):
        average_predictors(first, second, 0.5, tmp_path / "out.safetensors")
    torch.manual_seed(3)
    changed = codec.to_state()
    key = max(changed, key=lambda name: changed[name].numel() * changed[name].is_floating_point())
    assert changed[key].is_floating_point()
    third = tmp_path / "third.safetensors"
    elsewhere = FeatureCodec.__new__(FeatureCodec)
    object.__setattr__(elsewhere, "to_state", lambda: changed | {key: changed[key] + 1.0})
    save_predictor(third, small_architecture, ScenePredictor(small_architecture).state_dict(), elsewhere, {})
    with pytest.raises(CheckpointError, match="features"):
        average_predictors(first, third, 0.5, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
