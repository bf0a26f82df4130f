from pathlib import Path

import pytest

from distillnerf_core.data.paths import file_inside


def test_names_of_files_inside_are_joined() -> None:
    assert file_inside(Path("data"), "samples/CAM/a..b.jpg") == Path("data/samples/CAM/a..b.jpg")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "..\\x", "C:\\x", "C:/x"])
def test_names_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="leads out of"):
        file_inside(Path("data"), name)
