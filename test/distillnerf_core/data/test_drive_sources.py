"""Texts that name drives."""

from pathlib import Path
from typing import Any

import pytest
from nuscenes_download import write_download

from distillnerf_core.data.bag_drive import BagDrive
from distillnerf_core.data.drive_sources import DriveOptions, is_simulated, open_drive, open_drives, simulated_seeds
from distillnerf_core.data.simulated_bag import DriveConfig, record_drive
from distillnerf_core.data.simulated_drive import SimulatedDrive
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


def test_streets_have_the_options_that_follow_their_seeds() -> None:
    plain, dusk = open_drive("sim:7"), open_drives("sim:7..8,wet=0.5,light=dusk,noise=0.02")[0]
    assert isinstance(plain, SimulatedDrive)
    assert isinstance(dusk, SimulatedDrive)
    assert dusk.name == "street_000007_light-dusk_noise-0.02_wet-0.5"
    assert dusk.config.style == plain.config.style.model_copy(update={"daytime": "dusk", "wetness": 0.5})
    assert dusk.config.effects.noise == 0.02


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sim:7,", "nothing follows the comma"),
        ("sim:7,fog=1", r"'fog=1': expected NAME=VALUE with one of light, wet"),
        ("sim:7,wet", r"'wet': expected NAME=VALUE"),
        ("sim:7,wet=much", r"wet=much: expected a number"),
        ("sim:7,wet=2", "wetness"),
        ("sim:7,light=moon", "daytime"),
        ("sim:7,wet=0.1,wet=0.2", "wet is given twice"),
    ],
)
def test_options_of_streets_that_are_wrong_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        open_drives(text)


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
