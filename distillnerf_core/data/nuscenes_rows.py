"""The tables of a data set in nuScenes format as they are being written."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distillnerf_core.data.drive import FloatArray
from distillnerf_core.data.nuscenes_names import ATTRIBUTES, CATEGORIES, VISIBILITIES
from distillnerf_core.data.nuscenes_tables import Row, read_rows
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.transforms import quaternion_from_matrix

TABLES = (
    "category",
    "attribute",
    "visibility",
    "instance",
    "sensor",
    "calibrated_sensor",
    "ego_pose",
    "log",
    "sample",
    "sample_data",
    "sample_annotation",
    "map",
    "scene",
)
"""All tables; the last is written last, so that a folder has a scene only with everything that belongs to it."""


def token_of(*parts: object) -> str:
    """Returns the token, 32 hexadecimal digits, of the thing that some words name; the same in every run."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def pose_fields(pose: FloatArray) -> dict[str, list[float]]:
    """Returns a pose [4 4] as `translation`, metres, and `rotation`, quaternion w x y z."""
    x, y, z, w = quaternion_from_matrix(pose[:3, :3]).tolist()
    return {"translation": np.asarray(pose[:3, 3]).tolist(), "rotation": [w, x, y, z]}


def link(rows: Sequence[Row]) -> None:
    """Sets `prev` and `next` of rows that follow each other, empty at the ends."""
    for row in rows:
        row["prev"] = row["next"] = ""
    for before, after in itertools.pairwise(rows):
        before["next"], after["prev"] = after["token"], before["token"]


class NuScenesRows:
    """Rows of all tables by their tokens, those of an existing version included.

    Args:
        root: Folder with samples/, sweeps/ and the folder of the version.
        version: Such as "v1.0-mini".

    Raises:
        DataError: If there are tables already and they are damaged.
    """

    def __init__(self, root: Path, version: str) -> None:
        self._folder = root / version
        self._tables: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        if (self._folder / "scene.json").exists():
            for name in TABLES:
                for row in read_rows(self._folder / f"{name}.json"):
                    self._keep(name, row)
        self._add_words()

    def add(self, table: str, token: str, **fields: Any) -> Row:
        """Adds a row, or returns the one that has the token already."""
        return self._tables[table].setdefault(token, {"token": token, **fields})

    def save(self) -> None:
        """Writes all tables.

        Raises:
            DataError: If they cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name in TABLES:
                path = self._folder / f"{name}.json"
                partial = path.with_suffix(".partial")
                with partial.open("w", encoding="utf-8") as stream:
                    json.dump(list(self._tables[name].values()), stream, indent=0, allow_nan=False)
                partial.replace(path)
        except OSError as err:
            raise DataError(f"cannot write tables to {self._folder}: {err}; choose another folder") from err

    def _keep(self, table: str, row: Any) -> None:
        if not isinstance(row, dict) or not isinstance(row.get("token"), str):
            raise DataError(f"{self._folder}/{table}.json: a row without token: {str(row)[:120]}")
        self._tables[table][row["token"]] = row

    def _add_words(self) -> None:
        for name in CATEGORIES:
            self.add("category", token_of("category", name), name=name, description="")
        for name in ATTRIBUTES:
            self.add("attribute", token_of("attribute", name), name=name, description="")
        for token, level in VISIBILITIES.items():
            words = f"visibility of whole object is between {level[1:].replace('-', ' and ')}%"
            self.add("visibility", token, level=level, description=words)
