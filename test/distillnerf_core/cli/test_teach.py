"""`distillnerf teach`: from a street to views that a loader reads, and what they are worth against the truth."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.main import app
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.teachers.fusion.config import FusionConfig
from distillnerf_core.teachers.fusion.teacher import FusionTeacher
from distillnerf_core.teachers.layout import read_index

SIZE = (32, 56)


def test_fused_lidar_knows_a_street_and_what_moves_in_it() -> None:
    size = SimulationConfig(height=SIZE[0], width=SIZE[1], supersampling=1)
    drive = SimulatedDrive(SimulatedDriveConfig(seed=100_001, seconds=1.0, rate_hz=4.0, simulation=size))
    teacher = FusionTeacher(drive, FusionConfig())
    errors, known, solid = [], 0, 0
    for image in (image for image in drive.images if image.sweep == 2):
        truth = drive.true_ray_distance(image)
        view = teacher.original_view(image, *SIZE)
        near = np.isfinite(truth) & (truth < 80.0)
        found = near & np.isfinite(view.ray_distance_m)
        errors.append(np.abs(view.ray_distance_m - truth)[found] / truth[found])
        known, solid = known + int(found.sum()), solid + int(near.sum())
    assert known > 0.9 * solid
    assert np.concatenate(errors).mean() < 0.08


def test_a_street_is_taught_and_the_folder_is_complete(tmp_path: Path) -> None:
    arguments = ["teach", "sim:100001", "--out", str(tmp_path), "--seconds", "0.5", "--height", "18", "--width", "32"]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output
    folder = tmp_path / "street_100001"
    assert len(read_index(folder).images) == 6
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert written == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_drive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"calib\.json"):
        CliRunner().invoke(app, ["teach", str(tmp_path), "--out", str(tmp_path)], catch_exceptions=False)
