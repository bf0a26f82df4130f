"""The fit command writes a predictor and says how well it represents the frames."""

import json
from pathlib import Path

from typer.testing import CliRunner

from distillnerf_core.cli.fit import app
from distillnerf_core.model.checkpoint import load_predictor

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
