import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from analytic_drive import AnalyticDrive

from distillnerf_core.data.drive import DriveImage
from distillnerf_core.errors import DataError
from distillnerf_core.teachers.layout import INDEX_FILE
from distillnerf_core.teachers.protocol import Offset, TaughtView, Teacher
from distillnerf_core.teachers.targets import TaughtDrive
from distillnerf_core.teachers.teaching import key_images, teach

SIZE = (18, 32)


class CountingTeacher:
    """Teaches the number of its views so far, and can be killed."""

    name = "counting"

    def __init__(self, bias: float = 0.0, killed_after: int | None = None) -> None:
        self.settings: Mapping[str, Any] = {"bias": bias}
        self.killed_after = killed_after
        self.asked: list[tuple[int, Offset]] = []

    def original_view(self, image: DriveImage, height: int, width: int) -> TaughtView:
        return self.virtual_view(image, (0.0, 0.0, 0.0), height, width)

    def virtual_view(self, image: DriveImage, offset_m: Offset, height: int, width: int) -> TaughtView:
        if self.killed_after is not None and len(self.asked) == self.killed_after:
            raise KeyboardInterrupt
        self.asked.append((image.sweep, offset_m))
        distance = np.full((height, width), 10.0 + image.sweep + offset_m[0], dtype=np.float32)
        return TaughtView(
            np.full((height, width, 3), 40 * image.sweep, dtype=np.uint8),
            distance,
            np.zeros((height, width), dtype=bool),
            np.ones((height, width), dtype=np.float32),
            np.ones((height, width), dtype=bool),
        )


def _teach(folder: Path, teacher: Teacher, size: tuple[int, int] = SIZE) -> list[tuple[int, int]]:
    drive = AnalyticDrive()
    return list(teach(folder, drive, teacher, key_images(drive), size))


def test_everything_comes_back_as_tensors(tmp_path: Path) -> None:
    assert _teach(tmp_path / "out", CountingTeacher()) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    taught = TaughtDrive(tmp_path / "out")
    assert taught.complete
    assert taught.view_names == ("original", "left", "right", "up")
    targets = taught.targets(2, ["CAM_FRONT"], "right")
    torch.testing.assert_close(targets.ray_distance_m, torch.full((1, *SIZE), 13.0))
    assert targets.images.shape == (1, 3, *SIZE)
    smaller = taught.targets(1, ["CAM_FRONT"], size=(9, 16))
    torch.testing.assert_close(smaller.ray_distance_m, torch.full((1, 9, 16), 11.0))
    assert bool(smaller.seen.all())
    assert abs(float(smaller.images.mean()) - 40 / 255) < 0.01


def test_a_killed_run_goes_on_and_teaches_nothing_twice(tmp_path: Path) -> None:
    killed = CountingTeacher(killed_after=6)  # in the middle of the second image
    with pytest.raises(KeyboardInterrupt):
        _teach(tmp_path / "out", killed)
    (tmp_path / "out/views/000001_CAM_FRONT.zip.partial123").write_bytes(b"half")
    taught = TaughtDrive(tmp_path / "out")
    assert not taught.complete
    with pytest.raises(DataError, match="teach again"):
        taught.views(1, "CAM_FRONT")
    second = CountingTeacher()
    assert _teach(tmp_path / "out", second)[0] == (1, 3)
    assert {sweep for sweep, _ in second.asked} == {1, 2}
    assert taught.complete
    assert not list((tmp_path / "out").rglob("*.partial*"))


def test_another_configuration_or_size_is_refused(tmp_path: Path) -> None:
    _teach(tmp_path / "out", CountingTeacher())
    with pytest.raises(DataError, match="other settings;"):
        _teach(tmp_path / "out", CountingTeacher(bias=1.0))
    with pytest.raises(DataError, match="other width;"):
        _teach(tmp_path / "out", CountingTeacher(), (18, 30))


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(DataError, match="holds no teacher's views"):
        _teach(tmp_path, CountingTeacher())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(DataError, match="distillnerf teach"):
        TaughtDrive(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not the index"),
        ({"version": 99}, "version 99"),
        ({"height": 20}, "fingerprint"),
        ({"height": "tall"}, "damaged"),
        ({"images": [{"sweep": 0, "camera": "a", "stamp_ns": 0, "file": "../../etc/passwd"}]}, "leads out of"),
    ],
)
def test_a_changed_index_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    _teach(tmp_path / "out", CountingTeacher())
    path = tmp_path / "out" / INDEX_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        TaughtDrive(tmp_path / "out")


def test_unknown_images_and_views_are_named(tmp_path: Path) -> None:
    _teach(tmp_path / "out", CountingTeacher())
    taught = TaughtDrive(tmp_path / "out")
    with pytest.raises(DataError, match="CAM_BACK in sweep 0"):
        taught.targets(0, ["CAM_BACK"])
    with pytest.raises(DataError, match="no view 'down'; there are original, left"):
        taught.targets(0, ["CAM_FRONT"], "down")
