import sys
from pathlib import Path

import pytest

from distillnerf_core.data.waymo_segments import read_segment_list, segment_name, segments_in
from distillnerf_core.data.waymo_tables import load_pyarrow
from distillnerf_core.errors import ConfigurationError, DataError

NAME = "10023947602400723454_1120_000_1140_000"


@pytest.mark.parametrize(
    "text", [NAME, f"{NAME}.parquet", f"segment-{NAME}_with_camera_labels.tfrecord", f" segment-{NAME} \n"]
)
def test_names_of_both_versions(text: str) -> None:
    assert segment_name(text) == NAME


def test_a_list_of_segments(tmp_path: Path) -> None:
    path = tmp_path / "notr.txt"
    path.write_text(f"# index, segment\n3, segment-{NAME}_with_camera_labels.tfrecord  # static\n\nother_1\n")
    assert read_segment_list(path) == (NAME, "other_1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"# nothing\n\n", "names no segment"),
        (b"a\nb\na.parquet\n", "names a more than once"),
        (b"\xff\xfe\x00", "cannot"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "list.txt"
    with pytest.raises(DataError, match="cannot read the list"):
        read_segment_list(path)
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_segment_list(path)


def test_segments_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no \.parquet file"):
        segments_in(tmp_path)
    (tmp_path / "camera_image").mkdir()
    for name in ("b", "a"):
        (tmp_path / "camera_image" / f"{name}.parquet").touch()
    assert segments_in(tmp_path) == ("a", "b")


def test_without_pyarrow_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"needs pyarrow, .* is missing: .* -m pip install pyarrow"):
        load_pyarrow()
