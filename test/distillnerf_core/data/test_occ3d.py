"""Occ3D labels: the real file, and files that are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillnerf_core.data.occ3d import occ3d_path, read_occ3d_labels
from distillnerf_core.errors import DataError

SHAPE = (200, 200, 16)
FIELDS = ("semantics", "mask_lidar", "mask_camera")


class Trap:
    """Would write a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.path, "sprung")


def write(path: Path, **changes: object) -> Path:
    fields: dict[str, Any] = {name: np.zeros(SHAPE, np.uint8) for name in FIELDS}
    fields.update(changes)
    np.savez_compressed(path, **{name: value for name, value in fields.items() if value is not None})
    return path


def test_the_real_file(shared_dir: Path) -> None:
    path = shared_dir / "data/occ3d_label_sample/29796060110c4163b07f06eff4af0753_labels.npz"
    if not path.is_file():
        pytest.skip("no Occ3D labels in ../shared/data")
    labels = read_occ3d_labels(path)
    with np.load(path) as content:
        np.testing.assert_array_equal(labels.semantics, content["semantics"])
        assert labels.lidar_mask.sum() == np.count_nonzero(content["mask_lidar"])
        assert labels.camera_mask.sum() == np.count_nonzero(content["mask_camera"])
    under_the_car = labels.semantics[95:105, 95:105]
    assert (under_the_car == 11).any(axis=-1).mean() > 0.5  # it stands on the road


def test_masks_and_classes_keep_their_axes(tmp_path: Path) -> None:
    semantics, mask = np.full(SHAPE, 17, np.int64), np.zeros(SHAPE, bool)
    semantics[3, 40, 7], mask[150, 2, 15] = 4, True
    labels = read_occ3d_labels(write(tmp_path / "labels.npz", semantics=semantics, mask_camera=mask))
    assert np.argwhere(labels.semantics != 17).tolist() == [[3, 40, 7]]
    assert labels.semantics[3, 40, 7] == 4
    assert np.argwhere(labels.camera_mask).tolist() == [[150, 2, 15]]
    assert not labels.lidar_mask.any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"semantics": np.zeros((200, 200, 15), np.uint8)}, r"semantics is uint8 \(200, 200, 15\)"),
        ({"mask_lidar": np.zeros(SHAPE, np.float32)}, "mask_lidar is float32"),
        ({"mask_camera": None}, "mask_camera"),
        ({"semantics": np.full(SHAPE, 18, np.uint8)}, "class 18"),
        ({"semantics": np.full(SHAPE, 300, np.int32)}, "values from 300 to 300"),
        ({"semantics": np.full(SHAPE, -1, np.int8)}, "values from -1"),
        ({"semantics": np.zeros((400, 200, 200), np.uint8)}, "16000128 bytes"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_occ3d_labels(write(tmp_path / "labels.npz", **changes))


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(tmp_path / "sprung.txt")
    with pytest.raises(DataError, match="pickle"):
        read_occ3d_labels(write(tmp_path / "labels.npz", semantics=trap))
    assert not (tmp_path / "sprung.txt").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04N.", b"x" * 1000])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.npz"):
        read_occ3d_labels(path)
    whole = write(tmp_path / "whole.npz").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"labels\.npz"):
        read_occ3d_labels(path)
    with pytest.raises(DataError, match="expected Occ3D labels"):
        read_occ3d_labels(tmp_path / "missing.npz")


def test_the_place_of_labels() -> None:
    assert occ3d_path(Path("occ3d"), "scene-0001", "abc") == Path("occ3d/gts/scene-0001/abc/labels.npz")
    with pytest.raises(DataError, match="leads out"):
        occ3d_path(Path("occ3d"), "../..", "abc")
