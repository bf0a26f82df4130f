"""The teach command fills a folder, goes on with it, and says what is wrong."""

from pathlib import Path

import cv2
import pytest
import yaml
from analytic_drive import AnalyticDrive, Block
from nuscenes_download import write_download
from typer.testing import CliRunner

from distillnerf_core.cli.teach import app
from distillnerf_core.data import drive_sources
from distillnerf_core.errors import CheckpointError, ConfigurationError, DataError
from distillnerf_core.teachers.field.config import SMALL
from distillnerf_core.teachers.targets import TaughtDrive

RUN = CliRunner()
WALL = Block((20.0, -60.0, -1.0), (21.0, 60.0, 50.0))


def _teach(out: Path, monkeypatch: pytest.MonkeyPatch, name: str = "street") -> str:
    drive = AnalyticDrive((WALL,), name=name, speed_m_s=4.0)
    monkeypatch.setattr(drive_sources, "open_drive", lambda *_: drive)
    arguments = [name, "--out", str(out), "--height", "45", "--width", "80"]
    return RUN.invoke(app, arguments, catch_exceptions=False).output


def test_a_drive_is_taught_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "taught"
    assert "3 images of 80 x 45 pixels with 4 views each" in _teach(out, monkeypatch)
    taught = TaughtDrive(out)
    assert taught.complete
    sheet = cv2.imread(str(out / "contact_sheet.jpg"))
    assert sheet is not None and sheet.shape == (3 * 45, 6 * 80, 3)
    targets = taught.targets(1, ["CAM_FRONT"])
    assert float(targets.seen.float().mean()) > 0.9
    assert abs(float(targets.ray_distance_m[0, 20, 40]) - (20.0 - 0.5 - 2.0)) < 0.2
    kept, lost = (out / image.file for image in taught.index.images[:2])
    before = kept.stat().st_mtime_ns
    lost.unlink()
    _teach(out, monkeypatch)
    assert TaughtDrive(out).complete
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(DataError, match="other drive"):
        _teach(out, monkeypatch, "elsewhere")


def test_shards_teach_each_drive_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drives = [AnalyticDrive((WALL,), name=name, seconds=0.0, speed_m_s=4.0) for name in ("north", "south", "west")]
    monkeypatch.setattr(drive_sources, "open_drives", lambda *_: drives)
    arguments = ["streets", "--out", str(tmp_path), "--height", "18", "--width", "32", "--shard"]
    first = RUN.invoke(app, [*arguments, "0/2"], catch_exceptions=False)
    assert "shard 0/2: 2 of 3 drives" in first.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["north", "west"]
    RUN.invoke(app, [*arguments, "1/2"], catch_exceptions=False)
    for drive in drives:
        taught = TaughtDrive(tmp_path / drive.name)
        assert taught.complete and taught.index.drive == drive.name
    assert "shard 3/4: 0 of 3 drives" in RUN.invoke(app, [*arguments, "3/4"], catch_exceptions=False).output
    with pytest.raises(ConfigurationError, match="expected I/N"):
        RUN.invoke(app, [*arguments, "2/2"], catch_exceptions=False)


def test_the_field_is_trained_and_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = AnalyticDrive((WALL,), speed_m_s=4.0)
    monkeypatch.setattr(drive_sources, "open_drive", lambda *_: drive)
    settings = SMALL.model_dump(mode="json")
    settings |= {"iterations": 3, "pixel_rays": 8, "lidar_rays": 8, "height": 12, "width": 20}
    settings["field"] |= {"proposal_intervals": [8, 4], "intervals": 4}
    config = tmp_path / "field.yaml"
    config.write_text(yaml.safe_dump(settings))
    arguments = ["street", "--teacher", "field", "--config", str(config), "--height", "18", "--width", "32"]
    done = RUN.invoke(app, [*arguments, "--out", str(tmp_path / "taught")], catch_exceptions=False)
    assert "3 images of 32 x 18 pixels" in done.output
    assert TaughtDrive(tmp_path / "taught").index.teacher == "field"
    assert (tmp_path / "taught_field_run" / "field.safetensors").is_file()


def test_a_network_of_depth_is_asked_where_the_settings_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = AnalyticDrive((WALL,), speed_m_s=4.0)
    monkeypatch.setattr(drive_sources, "open_drive", lambda *_: drive)
    config = tmp_path / "fusion.yaml"
    config.write_text(yaml.safe_dump({"mono_depth": {"folder": str(tmp_path / "none")}}))
    with pytest.raises(CheckpointError, match="hf download depth-anything"):
        RUN.invoke(app, ["street", "--config", str(config), "--out", str(tmp_path / "out")], catch_exceptions=False)


def test_what_can_be_opened(tmp_path: Path) -> None:
    assert drive_sources.open_drive("sim:3").name == "street_000003"
    write_download(tmp_path)
    chosen = drive_sources.DriveOptions(scenes=("scene-0061",))
    assert drive_sources.open_drive(str(tmp_path), chosen).name == "scene-0061"
    with pytest.raises(DataError, match="2 drives; choose one: scene-0061, scene-0103"):
        drive_sources.open_drive(str(tmp_path))


@pytest.mark.parametrize(
    ("drive", "options", "error", "message"),
    [
        ("sim:first", [], DataError, "such as sim:3"),
        ("nowhere", [], DataError, "no such folder or file"),
        ("docs", [], DataError, "has no calib.json"),
        ("sim:3", ["--teacher", "oracle"], ConfigurationError, "there are fusion, field"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, drive: str, options: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        RUN.invoke(app, [drive, "--out", str(tmp_path / "out"), *options], catch_exceptions=False)
    assert not (tmp_path / "out").exists()
