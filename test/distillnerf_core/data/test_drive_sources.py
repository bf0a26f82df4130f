"""Texts that name drives."""

from pathlib import Path
from typing import Any

import pytest
from nuscenes_download import write_download

from distillnerf_core.data.bag_drive import BagDrive
from distillnerf_core.data.drive_sources import DriveOptions, is_simulated, open_drives, simulated_seeds
from distillnerf_core.data.simulated_bag import DriveConfig, record_drive
from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.simulation.simulator import SimulationConfig


def test_seeds_are_both_included() -> None:
    assert simulated_seeds("sim:100000..100007") == range(100_000, 100_008)
    assert simulated_seeds("sim:5") == range(5, 6)
    assert is_simulated("sim:5") and not is_simulated("nuscenes")
    assert [drive.name for drive in open_drives("sim:7..8")] == ["street_000007", "street_000008"]


@pytest.mark.parametrize("text", ["sim:", "sim:8..7", "sim:a..b", "sim:1-3", "sim:-1", "sim:1..2..3"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"sim:FIRST\.\.LAST"):
        open_drives(text)


def test_a_folder_without_calibration_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected sim:FIRST\.\.LAST, or a folder of frames with a calib.json"):
        open_drives(str(tmp_path))


def test_scenes_of_nuscenes_are_chosen_by_name_by_split_or_all_taken(tmp_path: Path) -> None:
    write_download(tmp_path)
    (tmp_path / "v1.0-mini" / "splits.json").write_text('{"mini_val": ["scene-0103"]}')

    def names(**chosen: Any) -> list[str]:
        return [drive.name for drive in open_drives(str(tmp_path), DriveOptions(**chosen))]

    assert names() == ["scene-0061", "scene-0103"]
    assert names(scenes=("scene-0103",)) == names(split="mini_val") == ["scene-0103"]
    with pytest.raises(DataError, match="no split 'test'"):
        names(split="test")


def test_a_recording_is_a_drive(tmp_path: Path) -> None:
    size = SimulationConfig(height=18, width=32, supersampling=1, shadows=False)
    for _ in record_drive(tmp_path / "a.mcap", DriveConfig(seconds=1.0, pose_rate_hz=20.0, simulation=size)):
        pass
    (drive,) = open_drives(str(tmp_path / "a.mcap"))
    assert isinstance(drive, BagDrive) and len(drive.cameras) == 6


def test_scenes_are_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no scenes to choose from"):
        open_drives("sim:3", DriveOptions(scenes=("scene-0061",)))
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"the file is no \.mcap"):
        open_drives(str(tmp_path / "notes.txt"))
