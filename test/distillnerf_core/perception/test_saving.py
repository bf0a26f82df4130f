import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillnerf_core.errors import DataError, QueryError
from distillnerf_core.perception.results import PerceptionResult
from distillnerf_core.perception.saving import frame_folder, save_frame


def test_a_frame_is_saved_whole_and_none_is_overwritten(result: PerceptionResult, tmp_path: Path) -> None:
    first = save_frame(result, tmp_path / "a" / "b")
    again = save_frame(result, tmp_path / "a" / "b")
    assert first.folder == tmp_path / "a" / "b" / f"frame_{result.stamp_ns}"
    assert again.folder.name == f"frame_{result.stamp_ns}_2"
    assert sorted(tmp_path.joinpath("a", "b").iterdir()) == [first.folder, again.folder]
    files = {file.name for file in first.folder.iterdir()}
    assert {"depth.npz", "occupancy.npz", "occupancy.ply", "overview.png", "summary.json"} <= files
    assert {f"{kind}_CAM_FRONT.png" for kind in ("image", "rendered", "semantics", "depth")} <= files
    assert first.size == sum(file.stat().st_size for file in first.folder.iterdir())
    assert json.loads((first.folder / "summary.json").read_text())["stamp_ns"] == result.stamp_ns
    with np.load(first.folder / "occupancy.npz") as stored:
        assert stored["labels"].shape == (200, 200, 16)


@pytest.mark.parametrize("failing", ["numpy.savez_compressed", "pathlib.Path.write_bytes", "pathlib.Path.rename"])
def test_a_full_disk_leaves_nothing_behind(
    result: PerceptionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(failing, full)
    with pytest.raises(DataError, match=r"cannot save the frame in .*new, where \d+ MiB are free: .*No space left"):
        save_frame(result, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(result: PerceptionResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("occupied")
    for folder in (tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match=folder.name):
            save_frame(result, folder)


def test_a_frame_without_classes_has_no_pictures_of_them(result: PerceptionResult, tmp_path: Path) -> None:
    saved = save_frame(replace(result, semantics=None, rgb=None), tmp_path)
    assert not list(saved.folder.glob("semantics_*"))
    assert not list(saved.folder.glob("rendered_*"))


def test_folders_are_relative_to_the_configured_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert frame_folder("", "~/frames") == tmp_path / "frames"
    assert frame_folder("today", "~/frames") == tmp_path / "frames" / "today"
    assert frame_folder("/elsewhere", "~/frames") == Path("/elsewhere")
    assert frame_folder("~/mine", "/frames") == tmp_path / "mine"
    for bad in ("a\0b", "~no_such_user_here/x"):
        with pytest.raises(QueryError, match="folder"):
            frame_folder(bad, "/frames")
