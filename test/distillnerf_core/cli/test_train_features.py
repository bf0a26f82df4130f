"""From images to features, from features to a predictor that renders them, and from there to figures and answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import yaml
from typer.testing import CliRunner

from distillnerf_core.cli.main import app
from distillnerf_core.data import drive_sources
from distillnerf_core.data.drive import Drive
from distillnerf_core.data.drive_frames import drive_frame
from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
from distillnerf_core.errors import CheckpointError, ConfigurationError, DataError, LanguageError
from distillnerf_core.language.clip_space import ClipTextSpace
from distillnerf_core.language.text_space import NoTexts
from distillnerf_core.model.loading import load_model
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.simulation.lidar import LidarConfig
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.training.config import LossWeights, ObjectiveConfig, OptimizerConfig, TrainConfig

STREET = "sim:4"
SMALL = ("--channels", "8", "--short-side", "32")


@pytest.fixture(autouse=True, scope="module")
def small_drives() -> Iterator[None]:
    size = SimulationConfig(height=32, width=64, supersampling=1, shadows=False)
    street = SimulatedDriveConfig(seconds=1.0, simulation=size, lidar=LidarConfig(beams=16, azimuth_steps=360))
    opened = drive_sources.open_drives

    def open_small(what: str, options: drive_sources.DriveOptions) -> list[Drive]:
        return opened(what, options.model_copy(update={"simulated": street}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive_sources, "open_drives", open_small)
        yield


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def dinov2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 12, "patch_size": 4}
    transformers.Dinov2Model(transformers.Dinov2Config(**sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "frames"
    run("prepare", STREET, "--out", folder, "--height", "32", "--width", "64")
    return folder


def config_file(folder: Path, frames: Path, architecture: PredictorConfig, **changes: Any) -> Path:
    weights = LossWeights(features=3.0, other_features=1.0)
    objective = ObjectiveConfig(cameras=(2,), render_cameras=2, crop_columns=0, points=300, weights=weights)
    config = TrainConfig(
        data=frames,
        out=folder / "run",
        steps=30,
        warmup_steps=3,
        optimizer=OptimizerConfig(learning_rate=5e-3),
        ema_decay=0.8,
        log_every=1,
        device="cpu",
        predictor=architecture,
        objective=objective,
    )
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(config.model_copy(update=changes).model_dump(mode="json")))
    return path


def feature_psnr(checkpoint: Path, features: Path) -> float:
    figures = checkpoint.with_suffix(".json")
    run(
        *("evaluate", "--protocol", "features", "--data", STREET, "--features", features, "--device", "cpu"),
        *("--checkpoint", checkpoint, "--json", figures),
    )
    return float(json.loads(figures.read_text())["figures"]["psnr_db"]["value"])


def learn(folder: Path, frames: Path, features: Path, architecture: PredictorConfig) -> Path:
    """Trains on a cache, checks that loss and figure improve, and returns the checkpoint."""
    config = config_file(folder, frames, architecture)
    run("train", config, "--features", features, "--set", f"out={folder / 'before'}", "--set", "steps=0")
    run("train", config, "--features", features)
    curve = json.loads((folder / "run" / "curve.json").read_text())
    assert curve[-1]["features"] < 0.7 * curve[0]["features"]
    assert curve[-1].keys() >= {"features", "color", "depth"} and "language" not in curve[-1]
    trained = folder / "run" / "predictor.safetensors"
    before, after = (feature_psnr(path, features) for path in (folder / "before" / "predictor.safetensors", trained))
    assert after > before + 3.0
    return trained


def test_features_of_clip_are_learnt_and_answer_texts(
    clip_folder: Path, frames: Path, small_architecture: PredictorConfig, tmp_path: Path
) -> None:
    features = tmp_path / "features"
    run("extract-features", STREET, "--model", "clip", "--weights", clip_folder, "--out", features, *SMALL)
    trained = learn(tmp_path, frames, features, small_architecture)
    without = load_model(trained)
    assert isinstance(without.language, NoTexts) and not without.language.faulty
    assert "give clip_folder" in without.language.reason and "compression" not in without.language.reason
    options = ModelOptions(clip_folder=str(clip_folder))
    assert isinstance(load_model(trained, options=options).language, ClipTextSpace)
    street = drive_sources.open_drives(STREET, drive_sources.DriveOptions())[0]
    pipeline = PerceptionPipeline.from_checkpoint(trained, device="cpu", options=options)
    result = pipeline.perceive(drive_frame(street, 0, 32, 64))
    assert result.language is not None and result.occupancy is not None
    scores = pipeline.query_images(result, TextQuery(("car", "tree")))
    assert scores.shape[0] == 2 and float(scores.min()) >= 0.0 and float(scores.max()) > 0.0
    assert pipeline.query(result, TextQuery(("car",))).texts == ("car",)
    # Voxels mean what images show: no factor and no shift lies between them.
    rows = torch.rand(3, 8)
    assert torch.equal(pipeline.language.voxel_features(rows), rows)


def test_features_of_dinov2_are_learnt_and_know_no_texts(
    dinov2_folder: Path, frames: Path, small_architecture: PredictorConfig, tmp_path: Path
) -> None:
    features = tmp_path / "features"
    run("extract-features", STREET, "--model", "dinov2", "--weights", dinov2_folder, "--out", features, *SMALL)
    trained = learn(tmp_path, frames, features, small_architecture)
    pipeline = PerceptionPipeline.from_checkpoint(trained, device="cpu")
    street = drive_sources.open_drives(STREET, drive_sources.DriveOptions())[0]
    result = pipeline.perceive(drive_frame(street, 0, 32, 64))
    assert result.features is not None and result.semantics is None and result.occupancy is not None
    with pytest.raises(LanguageError, match="renders features of dinov2, which knows no texts"):
        pipeline.query(result, TextQuery(("car",)))
    with pytest.raises(CheckpointError, match="--protocol features --features"):
        run("evaluate", "--checkpoint", trained, "--device", "cpu")


def test_what_does_not_fit_is_said_before_training(
    dinov2_folder: Path, frames: Path, small_architecture: PredictorConfig, tmp_path: Path
) -> None:
    features, config = tmp_path / "features", config_file(tmp_path, frames, small_architecture)
    with pytest.raises(DataError, match="distillnerf extract-features"):
        run("train", config, "--features", features)
    run("extract-features", "sim:5", "--model", "dinov2", "--weights", dinov2_folder, "--out", features, *SMALL)
    with pytest.raises(DataError, match=r"street_000004/CAM.* no cache of the images of .*frames; extract those"):
        run("train", config, "--features", features)
    with pytest.raises(ConfigurationError, match=r"predictor\.language_channels=8"):
        run("train", config, "--features", features, "--set", "predictor.language_channels=12")
    assert not (tmp_path / "run").exists()
