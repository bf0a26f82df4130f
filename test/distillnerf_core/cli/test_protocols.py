"""`distillnerf evaluate --protocol`: from a drive to figures and a report, with networks that never learned."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.main import app
from distillnerf_core.data import drive_sources
from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
from distillnerf_core.errors import CheckpointError, DataError
from distillnerf_core.simulation.lidar import LidarConfig
from distillnerf_core.simulation.simulator import SimulationConfig

FIGURES = {
    "reconstruction": ("psnr_db", "psnr_clamped_db", "ssim"),
    "novel-view": ("next_psnr_db", "previous_ssim"),
    "depth": ("z_abs_rel", "median_z_delta1", "ray_rmse"),
    "occupancy": ("camera_miou_17", "all_iou", "ray_iou"),
    "features": ("psnr_db",),
    "query": ("mean_ap",),
}


@pytest.fixture(autouse=True)
def small_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    size = SimulationConfig(height=32, width=64, supersampling=1, shadows=False)
    config = SimulatedDriveConfig(seconds=1.5, simulation=size, lidar=LidarConfig(beams=16, azimuth_steps=360))
    monkeypatch.setattr(drive_sources, "open_drives", partial(drive_sources.open_drives, config=config))


def run(protocol: str, *arguments: str) -> str:
    done = CliRunner().invoke(
        app,
        ["evaluate", "--protocol", protocol, "--data", "sim:100000", "--device", "cpu", *arguments],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("protocol", FIGURES)
def test_a_drive_is_evaluated_and_reported(protocol: str, checkpoint: Path, tmp_path: Path) -> None:
    path, folder = tmp_path / "figures.json", tmp_path / "report"
    output = run(protocol, "--checkpoint", str(checkpoint), "--json", str(path), "--report", str(folder))
    content: dict[str, Any] = json.loads(path.read_text())
    assert content["protocol"] == protocol and f"{protocol}: random.safetensors" in output
    assert content["data"] == "sim:100000" and "second key-frame" in content["samples"]
    assert content["rows"][0]["sweep"] == 6
    for name in FIGURES[protocol]:
        assert math.isfinite(content["figures"][name]["value"]), name
    report = (folder / "report.md").read_text()
    assert all(statement in report for statement in content["statements"])
    pictures = list(folder.glob("*.png"))
    assert pictures and all(f"({picture.name})" in report for picture in pictures)


@pytest.mark.parametrize(("variant", "protocol"), [("linear", "reconstruction"), ("linear", "depth")])
def test_published_networks_are_evaluated(
    variant: str, protocol: str, reference_weights: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "figures.json"
    run(protocol, "--checkpoint", str(reference_weights(f"reference-{variant}")), "--json", str(path))
    content = json.loads(path.read_text())
    assert "bilinear interpolation without low-pass" in content["statements"][0]
    assert math.isfinite(content["figures"][FIGURES[protocol][0]]["value"])


@pytest.mark.parametrize(
    ("variant", "protocol", "reason"),
    [
        ("clip", "reconstruction", "renders features, not colour"),
        ("linear", "query", "renders colour, not features"),
        ("linear", "features", "renders colour, not features"),
        ("clip", "query", "clip_folder"),
    ],
)
def test_what_a_published_network_cannot_do_is_said(
    variant: str, protocol: str, reason: str, reference_weights: Callable[[str], Path]
) -> None:
    with pytest.raises(CheckpointError, match=f"cannot be evaluated on .*{reason}"):
        run(protocol, "--checkpoint", str(reference_weights(f"reference-{variant}")))


def test_data_that_are_not_there_are_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: expected sim:FIRST\.\.LAST, or a folder of frames"):
        run("depth", "--checkpoint", str(checkpoint), "--data", str(tmp_path / "nowhere"))
