"""Prepared frames survive the disk, interruptions and other settings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from analytic_drive import AnalyticDrive, Block

from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.training.drive_supervision import DriveSupervisor, SupervisionConfig
from distillnerf_core.training.prepared import DESCRIPTION, PreparedFrames, open_frames, prepare

DRIVE = AnalyticDrive((Block((25.0, -30.0, 0.0), (26.0, 30.0, 6.0)),), speed_m_s=4.0, seconds=1.0)
CONFIG = SupervisionConfig()
SIZE = (45, 80)


def supervisors(*names: str) -> list[DriveSupervisor]:
    return [DriveSupervisor(replace(DRIVE, name=name), None, CONFIG) for name in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames") / "set"
    assert len(list(prepare(path, supervisors("b", "a"), SIZE, CONFIG))) == 6
    return path


def test_frames_come_back_with_their_targets_in_order_of_drive_and_sweep(folder: Path) -> None:
    frames = open_frames(folder)
    assert isinstance(frames, PreparedFrames) and len(frames) == 6
    assert [path.parent.name for path in frames.paths] == ["a"] * 3 + ["b"] * 3
    expected, found = supervisors("b")[0].supervise(1, *SIZE), frames[4]
    assert found.frame.stamp_ns == expected.frame.stamp_ns
    assert torch.equal(found.ray_distance_m.isnan(), expected.ray_distance_m.isnan())
    torch.testing.assert_close(found.ray_distance_m, expected.ray_distance_m, rtol=1e-3, atol=1e-3, equal_nan=True)
    assert torch.equal(found.labels, expected.labels) and torch.equal(found.occupancy, expected.occupancy)
    assert [views.name for views in found.others] == ["next", "previous"]
    for view, other in zip(found.others, expected.others, strict=True):
        assert torch.equal(view.weight, other.weight)
        torch.testing.assert_close(view.rig.camera_to_ego, other.rig.camera_to_ego)


def test_a_second_run_only_adds_what_is_missing(folder: Path) -> None:
    paths = sorted(folder.glob("*/*.npz"))
    times = {path: path.stat().st_mtime_ns for path in paths}
    paths[2].unlink()
    assert len(list(prepare(folder, supervisors("a", "b"), SIZE, CONFIG))) == 6
    changed = [path for path in paths if path.stat().st_mtime_ns != times[path]]
    assert changed == [paths[2]]


def test_other_settings_and_other_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="have other size"):
        next(prepare(folder, supervisors("a"), (30, 60), CONFIG))
    with pytest.raises(DataError, match="have other targets"):
        next(prepare(folder, supervisors("a"), SIZE, CONFIG.model_copy(update={"confidence": 0.5})))
    with pytest.raises(DataError, match="same name"):
        next(prepare(tmp_path / "new", supervisors("a", "a"), SIZE, CONFIG))
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="holds something else"):
        next(prepare(tmp_path, supervisors("a"), SIZE, CONFIG))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_damage_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="distillnerf prepare"):
        PreparedFrames(tmp_path)
    content = json.loads((folder / DESCRIPTION).read_text())
    for text, message in (
        ("{", "damaged"),
        (json.dumps({**content, "settings": {}}), "changed by hand"),
        (json.dumps({**content, "version": 9}), "version 9, expected"),
    ):
        (tmp_path / DESCRIPTION).write_text(text)
        with pytest.raises(DataError, match=message):
            PreparedFrames(tmp_path)
    (tmp_path / DESCRIPTION).write_text(json.dumps(content))
    with pytest.raises(DataError, match="no frames yet"):
        PreparedFrames(tmp_path)
    frame = tmp_path / "a" / "sweep_000000.npz"
    frame.parent.mkdir()
    frame.write_bytes(b"PK")
    with pytest.raises(DataError, match="cannot read frame"):
        PreparedFrames(tmp_path)[0]


def test_simulated_streets_are_opened_alike(tmp_path: Path) -> None:
    tiny = SimulationConfig(height=18, width=32, supersampling=1, shadows=False)
    list(write_dataset(tmp_path, DatasetConfig(scenes=1, simulation=tiny)))
    assert isinstance(open_frames(tmp_path), SimulatedDataset)
