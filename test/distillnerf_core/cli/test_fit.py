"""The fit command writes a predictor and says how well it represents the frames."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.fit import _settings, app
from distillnerf_core.configuration import load_config
from distillnerf_core.data.frame_folder import FrameFolder
from distillnerf_core.errors import CheckpointError
from distillnerf_core.evaluation.recorded import flat_ground_figures
from distillnerf_core.language.image_features import ImageFeatures
from distillnerf_core.model.checkpoint import load_predictor, save_predictor
from distillnerf_core.model.predictor import ScenePredictor
from distillnerf_core.training.config import TrainConfig
from distillnerf_core.training.recorded_supervision import supervise

_CONFIG = """
steps: 2
augment: false
device: cpu
encoder_bfloat16: false
predictor:
  image_height: 32
  image_width: 64
  feature_channels: 16
  language_channels: 8
objective:
  cameras: [2]
  render_cameras: 2
  points: 500
"""


def test_built_in_settings_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = _settings(None, Path("fitted.safetensors"), ["steps=7"])
    assert settings.out == Path("fitted_run")
    assert settings.steps == 7
    assert not settings.augment  # of the file; the class's default is True
    assert settings.augment != TrainConfig(data=Path("x"), out=Path("y")).augment


def test_a_fit_is_judged_and_serves_as_the_start_of_another(shared_dir: Path, tmp_path: Path) -> None:
    config, first, second = tmp_path / "fit.yaml", tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    config.write_text(_CONFIG)
    frames = str(shared_dir / "data" / "nuscenes_sample")
    common = [frames, "--config", str(config)]
    done = CliRunner().invoke(app, [*common, "--out", str(first), "--json", str(tmp_path / "figures.json")])
    assert done.exception is None, done.output
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["word"] == "car"
    assert written["frames"][0]["lidar_pixels"] > 100
    assert {"psnr_db", "lidar_abs_rel", "query_ratio"} <= set(written["frames"][0])
    assert f"predictor: {first}" in done.output
    assert load_predictor(first).provenance["initial"] == {}

    done = CliRunner().invoke(
        app, [*common, "--out", str(second), "--init", str(first), "--set", "steps=1", "--word", "truck"]
    )
    assert done.exception is None, done.output
    provenance = load_predictor(second).provenance
    assert (provenance["steps"], provenance["initial"]["steps"]) == (1, 2)


def test_a_frame_that_is_held_out_is_judged_but_not_learnt_from(shared_dir: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "fit.yaml", tmp_path / "fitted.safetensors"
    config.write_text(_CONFIG)
    frames = str(shared_dir / "data" / "ddad_scene_02")
    arguments = [frames, "--config", str(config), "--out", str(out), "--json", str(tmp_path / "figures.json")]
    done = CliRunner().invoke(app, [*arguments, "--hold-out", "0", "--hold-out", "2"])
    assert done.exception is None, done.output
    rows = json.loads((tmp_path / "figures.json").read_text())["frames"]
    assert [row["held_out"] for row in rows] == [1.0, 0.0, 1.0]
    assert load_predictor(out).provenance["frames"] == 1
    assert "frame 2, held" in done.output
    truth = supervise(FrameFolder(shared_dir / "data" / "ddad_scene_02")[2], 96, 176)
    assert rows[2]["before_lidar_pixels"] == pytest.approx(24_000, rel=0.1)
    assert rows[2]["flat_ground_lidar_abs_rel"] == pytest.approx(flat_ground_figures(truth)["lidar_abs_rel"])
    for wrong, message in ((["3"], "frames 0 to 2"), (["0", "1", "2"], "no frame of")):
        done = CliRunner().invoke(app, [*arguments, *(part for one in wrong for part in ("--hold-out", one))])
        assert message in str(done.exception)


def test_a_predictor_of_image_features_is_no_start_for_classes(shared_dir: Path, tmp_path: Path) -> None:
    config, start = tmp_path / "fit.yaml", tmp_path / "dinov2.safetensors"
    config.write_text(_CONFIG)
    architecture = load_config(config, TrainConfig).predictor
    weights = ScenePredictor(architecture).state_dict()
    save_predictor(start, architecture, weights, ImageFeatures("dinov2", {}, 8, None), {})
    frames = str(shared_dir / "data" / "nuscenes_sample")
    arguments = [frames, "--config", str(config), "--init", str(start), "--out", str(tmp_path / "out.safetensors")]
    with pytest.raises(CheckpointError, match="renders features of dinov2, and boxes teach classes"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
