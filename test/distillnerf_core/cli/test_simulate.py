"""The simulate command writes what it says."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.simulate import app
from distillnerf_core.data.nuscenes_drive import NuScenesDrive
from distillnerf_core.data.nuscenes_splits import read_split
from distillnerf_core.data.simulated import SimulatedDataset
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.simulation.camera_effects import CameraEffects
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.style import StreetStyle
from distillnerf_core.streams.bag_reader import BagReader

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


STYLED = ("--light", "dusk", "--wet", "0.7", "--slowest", "8", "--fastest", "15", "--driving", "1")
STYLE = StreetStyle(daytime="dusk", wetness=0.7, slowest_m_s=8.0, fastest_m_s=15.0, driving=1.0)
FAULTS = ("--noise", "0.02", "--exposure", "0.3", "--vignetting", "0.2")


def test_a_data_set_of_wet_streets_at_dusk_with_faulty_cameras(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--scenes", "1", "--seed", "7", "--height", "9", "--width", "16"]
    result = RUN.invoke(
        app, [*arguments, "--other-views", "1", *STYLED, *FAULTS, "--street-seconds", "1", "--no-preview"]
    )
    assert result.exit_code == 0, result.output
    dataset = SimulatedDataset(tmp_path)
    assert dataset.config.style == STYLE.model_copy(update={"seconds": 1.0})
    assert dataset.config.effects == CameraEffects(noise=0.02, exposure_stops=0.3, vignetting=0.2)
    assert [views.name for views in dataset[0].others] == ["left"]


def test_a_recording_of_a_street_at_dusk(tmp_path: Path) -> None:
    bag = tmp_path / "drive.mcap"
    arguments = ["--bag", str(bag), "--seconds", "0.5", "--width", "64", "--no-lidar", "--rate", "1"]
    result = RUN.invoke(app, [*arguments, *STYLED, "--noise", "0.01"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    speed = sample_scene(7, STYLE).path.speed_m_s
    assert speed > 8.0 and speed != sample_scene(7).path.speed_m_s
    with BagReader(bag) as reader:
        odometry = next(item.message for item in reader.messages() if item.topic == "/odometry")
    assert odometry.twist.twist.linear.x == pytest.approx(speed)


def test_a_drive_in_nuscenes_format_at_dusk(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--format", "nuscenes", "--scenes", "1", "--width", "32", "--no-lidar"]
    result = RUN.invoke(app, [*arguments, "--seconds", "0.5", "--rate", "2", *STYLED, *FAULTS], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    drive = NuScenesDrive.open(tmp_path, "street_000000")
    path = sample_scene(0, STYLE.model_copy(update={"seconds": 0.5})).path
    moved = drive.ego_to_world(drive.images[-1].stamp_ns) - drive.ego_to_world(drive.images[0].stamp_ns)
    duration = (drive.images[-1].stamp_ns - drive.images[0].stamp_ns) * 1e-9
    assert np.hypot(moved[0, 3], moved[1, 3]) == pytest.approx(path.speed_m_s * duration, rel=0.02)


def test_options_out_of_range_and_out_of_place_are_named(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "set")]
    for arguments, message in (
        ([*out, "--wet", "2"], "'wetness'"),
        ([*out, "--slowest", "12"], "slowest_m_s 12.0 is above fastest_m_s 10.0"),
        ([*out, "--noise", "-1"], "'noise'"),
        ([*out, "--other-views", "6"], "'other_views'"),
        ([*out, "--format", "nuscenes", "--other-views", "1"], "--other-views belongs to frames"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            RUN.invoke(app, arguments, catch_exceptions=False)
    assert not (tmp_path / "set").exists()


def test_one_target_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="either --out"):
        RUN.invoke(app, [], catch_exceptions=False)
