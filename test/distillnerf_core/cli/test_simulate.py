"""The simulate command writes what it says."""

from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.simulate import app
from distillnerf_core.data.nuscenes_drive import NuScenesDrive
from distillnerf_core.data.nuscenes_splits import read_split
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


def test_drives_in_nuscenes_format(tmp_path: Path) -> None:
    root = tmp_path / "set"
    arguments = ["--out", str(root), "--format", "nuscenes", "--scenes", "2", "--seed", "99999", "--width", "32"]
    arguments += ["--seconds", "0.1", "--rate", "10"]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "street_099999: 1 samples, 6 images of 32 x 18 pixels, 2 LiDAR revolutions" in result.output
    assert "2 scenes in nuScenes format, v1.0-mini" in result.output
    assert read_split("train", root, "v1.0-mini") == ("street_099999",)
    assert read_split("val", root, "v1.0-mini") == ("street_100000",)
    drive = NuScenesDrive.open(root, "street_100000")
    assert (len(drive.images), len(drive.scan_stamps_ns)) == (6, 2)
    assert len(drive.read_scan(0).points_m) > 10_000
    before = (root / "v1.0-mini/sample_data.json").read_bytes()
    result = RUN.invoke(app, arguments)
    assert "street_099999 is there already and stays as it is" in result.output
    assert (root / "v1.0-mini/sample_data.json").read_bytes() == before


def test_one_target_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="either --out"):
        RUN.invoke(app, [], catch_exceptions=False)
