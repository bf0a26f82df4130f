"""Which scenes of nuScenes are for training and which for evaluation.

The official lists follow from nothing in the tables: the 150 scenes of `val` lie in blocks all over scene.json. So they
are read: from a file, from `splits.json` beside the tables (the devkit's own place for lists of users), or from the
devkit (`nuscenes-devkit`) where it is installed.
"""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillnerf_core.errors import DataError

SPLITS_FILE = "splits.json"
_LARGEST_FILE = 2**24


def read_split(split: str, root: Path, version: str, source: Path | None = None) -> tuple[str, ...]:
    """Returns the names of the scenes of a split in their order.

    Args:
        split: Such as "train", "val" or "mini_val".
        root: Folder with the folder of the version.
        version: Such as "v1.0-trainval".
        source: JSON file with a list of names for each split, or text file with one name a line for this split alone;
            None takes splits.json beside the tables, and if it lacks the split, the lists of the installed devkit.

    Raises:
        DataError: If there is no such split; says where lists can come from.
    """
    if source is not None:
        return _from_file(source, split)
    path = root / version / SPLITS_FILE
    lists: Mapping[str, Any] = _read_json(path) if path.is_file() else {}
    if split in lists:
        return _names(lists[split], path, split)
    official = _of_devkit()
    if split in official:
        return _names(official[split], "nuscenes-devkit", split)
    known = ", ".join(sorted({*lists, *official})) or "none"
    raise DataError(
        f"no split {split!r} (known: {known}); give a file with its scene names, write them to {path}, or install "
        "nuscenes-devkit, which has the official lists"
    )


def add_to_split(root: Path, version: str, split: str, scene: str) -> None:
    """Adds a scene to a split in splits.json beside the tables, where it is not in it yet.

    Raises:
        DataError: If the file is damaged or cannot be written.
    """
    path = root / version / SPLITS_FILE
    lists = dict(_read_json(path)) if path.is_file() else {}
    names = _names(lists[split], path, split) if split in lists else ()
    if scene in names:
        return
    lists[split] = [*names, scene]
    try:
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(lists, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as err:
        raise DataError(f"cannot write {path}: {err}") from err


def _from_file(path: Path, split: str) -> tuple[str, ...]:
    if path.suffix != ".json":
        return _names(_read_text(path).split(), path, split)
    lists = _read_json(path)
    if split not in lists:
        raise DataError(f"{path} has no split {split!r}; it has {', '.join(sorted(lists)) or 'none'}")
    return _names(lists[split], path, split)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(_read_text(path))
    except (ValueError, RecursionError) as err:
        raise DataError(f"{path}: damaged JSON ({err})") from err
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a mapping of splits to lists of scene names")
    return content


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise DataError(f"{path}: larger than any list of scenes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise DataError(f"cannot read {path}: {err}") from err


def _names(values: Any, source: Path | str, split: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not values or not all(isinstance(name, str) and name for name in values):
        raise DataError(f"{source}: split {split!r} is no list of scene names")
    if len(set(values)) < len(values):
        raise DataError(f"{source}: split {split!r} names a scene twice")
    return tuple(values)


def _of_devkit() -> Mapping[str, Any]:
    try:
        module = importlib.import_module("nuscenes.utils.splits")
    except ImportError:
        return {}
    lists: Mapping[str, Any] = module.create_splits_scenes()
    return lists
