"""`distillnerf evaluate --protocol`: from a drive to figures and a report, with a network that never learned."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.main import app

FIGURES = {
    "reconstruction": ("PSNR, dB", "SSIM"),
    "novel-view": ("PSNR, dB",),
    "depth": ("z-depth: AbsRel", "distance along the ray: AbsRel"),
    "occupancy": ("RayIoU / 17", "mIoU / 17 (camera mask)"),
}


@pytest.mark.parametrize("protocol", FIGURES)
def test_a_drive_is_evaluated_and_reported(protocol: str, checkpoint: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", "--protocol", protocol, "--data", "sim:100000", "--checkpoint", str(checkpoint)]
    files = ["--limit", "1", "--json", str(tmp_path / "figures.json"), "--report", str(tmp_path / "report")]
    result = CliRunner().invoke(app, [*arguments, *files])
    assert result.exit_code == 0, result.output
    written = (tmp_path / "figures.json").read_text()
    assert json.loads(written)["protocol"] == protocol
    for name in FIGURES[protocol]:
        assert name in written
    report = next((tmp_path / "report").glob("*.md")).read_text()
    assert "sim:100000" in report
    assert list((tmp_path / "report").rglob("*.png")) or list((tmp_path / "report").rglob("*.jpg"))
    assert all(math.isfinite(value) for value in _numbers(json.loads(written)["figures"]))


def _numbers(content: object) -> list[float]:
    if isinstance(content, dict):
        return [number for value in content.values() for number in _numbers(value)]
    if isinstance(content, list):
        return [number for value in content for number in _numbers(value)]
    return [float(content)] if isinstance(content, int | float) and not isinstance(content, bool) else []


def test_data_that_is_not_there_is_named(checkpoint: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere")
    result = CliRunner().invoke(
        app, ["evaluate", "--protocol", "depth", "--data", missing, "--checkpoint", str(checkpoint)]
    )
    assert result.exit_code != 0
    assert "nowhere" in str(result.exception) + result.output
