"""`distillnerf evaluate --protocol`: from a drive to figures and a report, with networks that never learned."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nuscenes_download import write_download
from typer.testing import CliRunner

from distillnerf_core.cli.main import app
from distillnerf_core.data import drive_sources
from distillnerf_core.data.drive import Drive
from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
from distillnerf_core.errors import CheckpointError, DataError
from distillnerf_core.geometry.grids import OCC3D_GRID
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
    opened = drive_sources.open_drives

    def open_small(what: str, options: drive_sources.DriveOptions) -> list[Drive]:
        return opened(what, options.model_copy(update={"simulated": config}))

    monkeypatch.setattr(drive_sources, "open_drives", open_small)


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


def test_nuscenes_is_evaluated_with_occ3d(checkpoint: Path, tmp_path: Path) -> None:
    """The scene of a split, its second sample, and the labels of that sample alone."""
    root, gts, path = tmp_path / "nuscenes", tmp_path / "gts", tmp_path / "figures.json"
    write_download(root)
    (root / "mine.txt").write_text("scene-0103\n")
    labels = np.full(OCC3D_GRID.size, 17, dtype=np.uint8)
    labels[:, :, 2] = 11
    (gts / "scene-0103" / "scene-0103-1").mkdir(parents=True)
    mask = np.ones(OCC3D_GRID.size, dtype=np.uint8)
    np.savez(gts / "scene-0103" / "scene-0103-1" / "labels.npz", semantics=labels, mask_camera=mask, mask_lidar=mask)
    arguments = ["--checkpoint", str(checkpoint), "--json", str(path), "--split-file", str(root / "mine.txt")]
    run("occupancy", "--data", str(root), "--occ3d", str(gts), *arguments)
    content = json.loads(path.read_text())
    assert [row["drive"] for row in content["rows"]] == ["scene-0103"]
    assert 0.0 <= content["figures"]["camera_miou_17"]["value"] < 1.0
    with pytest.raises(DataError, match="scene-0061-1"):
        run("occupancy", "--data", str(root), "--occ3d", str(gts), "--checkpoint", str(checkpoint))
    with pytest.raises(DataError, match="nuScenes and --occ3d"):
        run("occupancy", "--data", str(root), "--checkpoint", str(checkpoint))
    run("novel-view", "--data", str(root), *arguments)
    assert math.isfinite(json.loads(path.read_text())["figures"]["next_psnr_db"]["value"])
