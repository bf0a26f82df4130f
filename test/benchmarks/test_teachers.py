"""The benchmark of teachers keeps beams back, judges by them, and counts pixels of all kinds."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from analytic_drive import AnalyticDrive, Block

from benchmarks import teachers
from benchmarks.held_out import HeldOutDrive, held_out, held_out_returns
from benchmarks.teachers import Pool
from distillnerf_core.data.drive import Drive
from distillnerf_core.teachers.protocol import TaughtView

WALL = Block((30.0, -100.0, -1.0), (31.0, 100.0, 60.0))


@pytest.mark.parametrize("rings_known", [True, False])
def test_every_fourth_beam_is_kept_back(rings_known: bool) -> None:
    drive = AnalyticDrive((WALL,), rings_known=rings_known)
    kept = HeldOutDrive(drive)
    assert isinstance(kept, Drive)
    whole, rest = drive.read_scan(0), kept.read_scan(0)
    out = held_out(whole)
    assert 0.1 < out.mean() < 0.4
    np.testing.assert_array_equal(rest.points_m, whole.points_m[~out])
    if rings_known:
        np.testing.assert_array_equal(np.unique(rest.rings), np.arange(24))


def test_kept_back_returns_lie_on_the_truth() -> None:
    drive = AnalyticDrive((WALL,))
    image = drive.images[0]
    row, column, distance = held_out_returns(drive, image, 45, 80)
    truth = drive.render(image.camera_to_world, image.intrinsics, 45, 80, image.stamp_ns)[1]
    assert len(row) > 50
    assert np.median(np.abs(distance / truth[row, column] - 1)) < 0.02


def test_pixels_are_counted_by_kind() -> None:
    distance = np.array([[10.0, 22.0, np.nan, np.nan]], dtype=np.float32)
    view = TaughtView(
        np.zeros((1, 4, 3), dtype=np.uint8),
        distance,
        np.array([[False, False, False, True]]),
        np.array([[1.0, 0.1, 0.0, 1.0]], dtype=np.float32),
        np.array([[True, True, False, True]]),
    )
    pool = Pool()
    truth = np.array([[10.0, 20.0, 60.0, np.inf]], dtype=np.float32)
    pool.add(view, truth, np.array([[False, True, False, False]]))
    figures = pool.figures()
    assert figures["all abs_rel"] == pytest.approx(0.05)
    assert figures["all coverage"] == pytest.approx(2 / 3)
    assert figures["moving abs_rel"] == pytest.approx(0.1)
    assert figures["trusted abs_rel"] == 0.0
    assert figures["50-80 m coverage"] == 0.0
    assert figures["sky recall"] == figures["sky precision"] == 1.0


def test_a_folder_is_measured(
    shared_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_dir / "data" / "nuscenes_sample"
    if not folder.is_dir():
        pytest.skip("no nuscenes_sample in ../shared/data")
    monkeypatch.setattr(teachers, "HEIGHT", 54)
    monkeypatch.setattr(teachers, "WIDTH", 96)
    output = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["teachers", "--seeds", "0", "--folder", str(folder), "--json", str(output)])
    teachers.main()
    figures = json.loads(output.read_text())["folders"]["nuscenes_sample"]
    assert figures["all pixels"] > 1000
    assert figures["all median_rel"] < 0.05
    assert "held-out beams" in capsys.readouterr().out
