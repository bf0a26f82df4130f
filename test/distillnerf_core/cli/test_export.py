import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.export import app
from distillnerf_core.errors import BagError, ConfigurationError


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(item) for item in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_one_frame_becomes_points_arrays_and_answers(short_bag: Path, checkpoint: Path, tmp_path: Path) -> None:
    output = run(short_bag, "--frame", 1, "--out", tmp_path, "--checkpoint", checkpoint, "--query", "house")
    names = {path.name for path in tmp_path.iterdir()}
    assert {"points_camera.ply", "points_class.ply", "voxels_class.ply", "occupancy.npz", "query.npz"} <= names
    assert all(name in output for name in ("points_camera.ply", "query.npz"))


def test_a_frame_beyond_the_end_says_how_many_there_are(short_bag: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r"--frame 7: .* has 2 frames, numbered from 0"):
        run(short_bag, "--frame", 7, "--out", tmp_path, "--checkpoint", checkpoint)


def test_mistakes_show_before_anything_is_perceived(
    short_bag: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="expected NAME=VALUE"):
        run(short_bag, "--out", tmp_path, "--model", "prior_size")
    with pytest.raises(ConfigurationError, match="unknown key 'prior'"):
        run(short_bag, "--out", tmp_path, "--model", "prior=1")
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    with pytest.raises(ConfigurationError, match="pip install scikit-image"):
        run(short_bag, "--out", tmp_path, "--checkpoint", checkpoint, "--mesh")
    assert list(tmp_path.iterdir()) == []
