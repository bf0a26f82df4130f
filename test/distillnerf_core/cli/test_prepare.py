"""From a recording, and from a taught drive, to frames, and from frames to a predictor."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from distillnerf_core.cli.main import app
from distillnerf_core.data.simulated_bag import DriveConfig, record_drive
from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.model.checkpoint import load_predictor
from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.training.config import ObjectiveConfig, TrainConfig
from distillnerf_core.training.prepared import PreparedFrames

RUN = CliRunner()


def run(*arguments: str | Path) -> str:
    done = RUN.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_taught_drive_becomes_frames(tmp_path: Path) -> None:
    size = ("--height", "32", "--width", "64", "--seconds", "0.5")
    run("teach", "sim:5", "--out", tmp_path / "taught" / "street_000005", *size)
    output = run("prepare", "sim:5", "--out", tmp_path / "frames", "--taught", tmp_path / "taught", *size)
    assert "1 frames of 64 x 32 pixels" in output
    frame = PreparedFrames(tmp_path / "frames")[0]
    assert [views.name for views in frame.others] == ["left", "right", "up"]
    assert (~frame.ray_distance_m.isnan()).float().mean() > 0.6
    with pytest.raises(DataError, match="distillnerf teach"):
        run("prepare", "sim:6", "--out", tmp_path / "frames", "--taught", tmp_path / "taught", *size)
    with pytest.raises(ConfigurationError, match="valid keys here: confidence"):
        run("prepare", "sim:5", "--out", tmp_path / "frames", "--set", "trust=1", *size)


def test_a_predictor_is_trained_on_a_recording(
    small_architecture: PredictorConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = tmp_path / "street.mcap"
    size = SimulationConfig(height=36, width=64, supersampling=1, shadows=False)
    for _ in record_drive(bag, DriveConfig(seconds=1.0, pose_rate_hz=20.0, simulation=size)):
        pass
    objective = ObjectiveConfig(cameras=(2,), render_cameras=1, other_cameras=1, crop_columns=8, points=200)
    config = TrainConfig(out=tmp_path / "run", steps=2, device="cpu", predictor=small_architecture, objective=objective)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    output = run("train", path, "--bag", bag)
    assert "2 frames of 64 x 32 pixels" in output
    provenance = load_predictor(tmp_path / "run" / "predictor.safetensors").provenance
    assert provenance["frames"] == 2 and provenance["steps"] == 2
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="distillnerf prepare"):
        run("train", path, "--bag", bag)
