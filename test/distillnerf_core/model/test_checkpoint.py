from pathlib import Path

import pytest
import torch

from distillnerf_core.errors import CheckpointError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.compression import FeaturePca
from distillnerf_core.model.checkpoint import load_predictor, save_predictor, write_safetensors
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor


def make_codec() -> FeatureCodec:
    generator = torch.Generator().manual_seed(2)
    features = torch.nn.functional.normalize(torch.randn(18, 8, generator=generator), dim=1)
    pca = FeaturePca(torch.zeros(12), torch.eye(12)[:, :8])
    return FeatureCodec(pca, features, tuple(f"class{k}" for k in range(18)), "test")


@pytest.fixture
def saved(tmp_path: Path, predictor: ScenePredictor, config: PredictorConfig) -> Path:
    path = tmp_path / "p.safetensors"
    save_predictor(path, config, predictor.state_dict(), make_codec(), {"seed": 3})
    return path


def test_a_checkpoint_gives_back_the_same_network(
    saved: Path, predictor: ScenePredictor, frame: MultiViewFrame
) -> None:
    loaded = load_predictor(saved)
    assert loaded.provenance == {"seed": 3}
    assert torch.equal(loaded.predictor.encode_frame(frame).logits, predictor.encode_frame(frame).logits)
    torch.testing.assert_close(loaded.codec.class_features, make_codec().class_features)


def test_half_precision_halves_the_file(tmp_path: Path, saved: Path, predictor: ScenePredictor) -> None:
    path = tmp_path / "half.safetensors"
    save_predictor(path, predictor.config, predictor.state_dict(), make_codec(), {}, half=True)
    assert path.stat().st_size < 0.6 * saved.stat().st_size
    assert all(value.dtype == torch.float32 for value in load_predictor(path).predictor.parameters())


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not exist.*distillnerf train"):
        load_predictor(tmp_path / "none.safetensors")


def test_a_truncated_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_predictor(saved)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    write_safetensors(path, {"weight": torch.zeros(3)}, {})
    with pytest.raises(CheckpointError, match="not a distillnerf predictor"):
        load_predictor(path)


def test_another_architecture_is_refused_with_the_differences(tmp_path: Path, predictor: ScenePredictor) -> None:
    path = tmp_path / "p.safetensors"
    other = predictor.config.model_copy(update={"language_channels": 9})
    save_predictor(path, other, predictor.state_dict(), make_codec(), {})
    with pytest.raises(CheckpointError, match=r"another architecture.*language_head.*expected"):
        load_predictor(path)


def test_a_full_disk_keeps_the_old_file(
    saved: Path, predictor: ScenePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("distillnerf_core.model.checkpoint.save_file", fail)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_predictor(saved, predictor.config, predictor.state_dict(), make_codec(), {})
    assert saved.read_bytes() == before
