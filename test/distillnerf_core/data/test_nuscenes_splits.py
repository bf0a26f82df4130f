"""Splits come from files or the devkit, never from the order of the scenes."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from distillnerf_core.data.nuscenes_splits import add_to_split, read_split
from distillnerf_core.errors import DataError

LISTS = {"train": ["scene-0002", "scene-0001"], "val": ["scene-0003"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "v1.0-mini").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def no_devkit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nuscenes.utils.splits", None)


def test_a_file_of_the_user_comes_first(root: Path, tmp_path: Path) -> None:
    (root / "v1.0-mini/splits.json").write_text(json.dumps({"train": ["scene-0009"]}))
    (tmp_path / "own.json").write_text(json.dumps(LISTS))
    (tmp_path / "own.txt").write_text("scene-0005\nscene-0004\n")
    assert read_split("train", root, "v1.0-mini", tmp_path / "own.json") == ("scene-0002", "scene-0001")
    assert read_split("val", root, "v1.0-mini", tmp_path / "own.txt") == ("scene-0005", "scene-0004")
    assert read_split("train", root, "v1.0-mini") == ("scene-0009",)


def test_the_devkit_has_the_official_lists(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devkit = ModuleType("nuscenes.utils.splits")
    monkeypatch.setattr(devkit, "create_splits_scenes", lambda: LISTS, raising=False)
    for name in ("nuscenes", "nuscenes.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "nuscenes.utils.splits", devkit)
    assert read_split("val", root, "v1.0-mini") == ("scene-0003",)


def test_scenes_are_added_once(root: Path) -> None:
    for scene in ("b", "a", "b"):
        add_to_split(root, "v1.0-mini", "train", scene)
    add_to_split(root, "v1.0-mini", "val", "c")
    assert read_split("train", root, "v1.0-mini") == ("b", "a")
    assert read_split("val", root, "v1.0-mini") == ("c",)
    with pytest.raises(DataError, match="cannot write"):
        add_to_split(root, "v1.0-test", "val", "c")


def test_unknown_splits_say_where_lists_come_from(root: Path) -> None:
    (root / "v1.0-mini/splits.json").write_text(json.dumps(LISTS))
    with pytest.raises(DataError, match=r"no split 'test' \(known: train, val\).*splits\.json, or install"):
        read_split("test", root, "v1.0-mini")
    with pytest.raises(DataError, match="no split 'test'; it has train, val"):
        read_split("test", root, "v1.0-mini", root / "v1.0-mini/splits.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "damaged JSON"),
        ("[" * 100_000, "damaged JSON"),
        ("[]", "mapping"),
        ('{"train": "scene-0001"}', "no list"),
        ('{"train": []}', "no list"),
        ('{"train": [1]}', "no list"),
        ('{"train": ["a", "a"]}', "twice"),
        ("\xff", "cannot read"),
    ],
)
def test_damaged_lists_are_named(root: Path, content: str, words: str) -> None:
    path = root / "lists.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=words):
        read_split("train", root, "v1.0-mini", path)


def test_the_official_split_is_no_order_of_the_scenes(shared_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nuscenes.utils.splits")
    splits = pytest.importorskip("nuscenes.utils.splits", reason="nuscenes-devkit is not installed")
    path = shared_dir / "data/nuscenes_meta/scene_trainval.json"
    names = [row["name"] for row in json.loads(path.read_text())]
    val = read_split("val", path.parent, "v1.0-trainval")
    assert (len(val), len(names), set(val) < set(names)) == (150, 850, True)
    assert splits.create_splits_scenes()["val"] == list(val)
    assert set(val) not in (set(names[:150]), set(names[-150:]))
