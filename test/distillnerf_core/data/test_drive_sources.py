"""Texts that name drives."""

from pathlib import Path

import pytest

from distillnerf_core.data.drive_sources import is_simulated, open_drives, simulated_seeds
from distillnerf_core.errors import DataError


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
