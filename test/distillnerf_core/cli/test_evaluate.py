"""The evaluate command measures three methods on held-out streets."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.evaluate import app
from distillnerf_core.errors import DataError


def _figures(arguments: list[str], json_file: Path) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--device", "cpu", "--json", str(json_file)])
    assert done.exception is None, done.output
    assert "Held-out simulated streets" in done.output
    return json.loads(json_file.read_text())


def test_held_out_streets_are_simulated_where_no_data_is_given(checkpoint: Path, tmp_path: Path) -> None:
    arguments = ["--checkpoint", str(checkpoint), "--scenes", "1", "--frames", "1"]
    figures = _figures([*arguments, "--cache", str(tmp_path / "cache")], tmp_path / "simulated.json")
    assert (figures["checkpoint"], figures["scenes"], figures["frames"]) == ("random.safetensors", 1, 1)
    assert list(figures["results"]) == ["distillnerf", "one-stage, coarse only", "flat ground"]
    assert all(method["abs_rel"]["scenes"] == 1 for method in figures["results"].values())
    assert [path.name for path in (tmp_path / "cache").glob("scene_*")] == ["scene_100000_frame_00.npz"]
    again = _figures([*arguments, "--data", str(tmp_path / "cache")], tmp_path / "given.json")
    ground = figures["results"]["flat ground"], again["results"]["flat ground"]
    assert ground[0]["abs_rel"] == ground[1]["abs_rel"]


def test_a_missing_data_set_is_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        CliRunner().invoke(
            app,
            ["--checkpoint", str(checkpoint), "--data", str(tmp_path / "nowhere"), "--device", "cpu"],
            catch_exceptions=False,
        )
