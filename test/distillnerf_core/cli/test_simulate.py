"""The simulate command writes what it says."""

from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.simulate import app
from distillnerf_core.data.simulated import SimulatedDataset
from distillnerf_core.errors import ConfigurationError

RUN = CliRunner()


def test_a_data_set_with_its_overview(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "set"), "--scenes", "2", "--seed", "3", "--height", "18", "--width", "32"]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert len(SimulatedDataset(tmp_path / "set")) == 2
    picture = cv2.imread(str(tmp_path / "set/overview.png"))
    assert picture is not None and picture.shape == (72, 3 * 96 + 36, 3)


def test_a_recording(tmp_path: Path) -> None:
    arguments = ["--bag", str(tmp_path / "drive.mcap"), "--seconds", "0.5", "--width", "64", "--no-lidar"]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "1 sweeps of six cameras, 64 x 36 pixels, street 7" in result.output
    assert (tmp_path / "drive.mcap").stat().st_size > 10_000


def test_one_target_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="either --out"):
        RUN.invoke(app, [], catch_exceptions=False)
