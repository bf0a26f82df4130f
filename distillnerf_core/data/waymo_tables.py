"""The Parquet tables of the Waymo Open Dataset v2: `<component>/<segment>.parquet`, one row for each key.

Columns are named `key.<name>` and `[<Component>].<field>`, as the dataset's module `waymo_open_dataset.v2` defines them
(v2/component.py says how names are made, v2/perception/*.py which fields there are).
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.paths import file_inside
from distillnerf_core.errors import ConfigurationError, DataError

FRAME_KEY, CAMERA_KEY = "key.frame_timestamp_micros", "key.camera_name"
LASER_KEY, OBJECT_KEY = "key.laser_name", "key.laser_object_id"
COMPONENTS = {
    "camera_image": "CameraImageComponent",
    "camera_calibration": "CameraCalibrationComponent",
    "lidar": "LiDARComponent",
    "lidar_calibration": "LiDARCalibrationComponent",
    "lidar_pose": "LiDARPoseComponent",
    "lidar_box": "LiDARBoxComponent",
    "vehicle_pose": "VehiclePoseComponent",
}
"""Folder of each component and the name in its columns."""


def load_pyarrow() -> Any:
    """Returns the package pyarrow with its module parquet.

    Raises:
        ConfigurationError: If it is missing, with the command that installs it.
    """
    try:
        import pyarrow.parquet
    except ImportError as err:
        raise ConfigurationError(
            f"the Waymo Open Dataset needs pyarrow, and {err.name} is missing: {sys.executable} -m pip install pyarrow"
        ) from err
    return pyarrow


class ComponentTable:
    """One component of a segment; small columns are read whole, large ones by row.

    A row can only be read with its row group, the last of which is kept.

    Args:
        root: Folder with a folder for each component, such as `training`.
        component: Name of the component.
        segment: Name of the segment.

    Attributes:
        path: The file.

    Raises:
        DataError: If the name of the segment leads out of the folder.
        ConfigurationError: If pyarrow is missing.
    """

    def __init__(self, root: Path, component: str, segment: str) -> None:
        try:
            self.path = file_inside(root / component, f"{segment}.parquet")
        except ValueError as err:
            raise DataError(f"segment {segment[:120]!r}: {err}") from err
        self._component = component
        self._group: tuple[int, tuple[str, ...], Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_group": None}

    @property
    def exists(self) -> bool:
        """Whether the component was downloaded."""
        return self.path.is_file()

    def columns(self, *names: str) -> dict[str, list[Any]]:
        """Reads columns of all rows.

        Args:
            names: Keys, or fields without the name of the component.

        Returns:
            The values of each column in the order of the rows, by the names that were given.

        Raises:
            DataError: If the file or a column is missing, or the file is damaged.
        """
        full = [self._full(name) for name in names]
        content = self._attempt(lambda file: file.read(columns=full), full)
        return {name: content.column(column).to_pylist() for name, column in zip(names, full, strict=True)}

    def row(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        """Reads large columns of one row.

        Args:
            number: Position in the file, as in `columns`.
            names: Fields without the name of the component.

        Returns:
            Bytes, or the numbers of a list as a flat array, by the names that were given; None where there is nothing.

        Raises:
            DataError: If the file or a column is missing, or the file is damaged.
        """
        full = [self._full(name) for name in names]
        content, offset = self._attempt(lambda file: self._group_of(file, number, tuple(full)), full)
        return {name: _value(content.column(column)[offset]) for name, column in zip(names, full, strict=True)}

    def _full(self, name: str) -> str:
        return name if name.startswith("key.") else f"[{COMPONENTS[self._component]}].{name}"

    def _attempt(self, read: Any, needed: Sequence[str]) -> Any:
        if not self.exists:
            raise DataError(f"{self.path} is missing; download the component {self._component} of this segment")
        pyarrow = load_pyarrow()
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                missing = sorted(set(needed) - set(file.schema_arrow.names))
                if missing:
                    raise DataError(
                        f"{self.path} has no column {', '.join(missing)}; is it of version 2 of the data set?"
                    )
                return read(file)
        except (OSError, ValueError, IndexError, MemoryError, NotImplementedError, pyarrow.ArrowException) as err:
            raise DataError(f"{self.path} is damaged or no Parquet file: {err}; download it again") from err

    def _group_of(self, file: Any, number: int, full: tuple[str, ...]) -> tuple[Any, int]:
        sizes = [file.metadata.row_group(index).num_rows for index in range(file.metadata.num_row_groups)]
        ends = np.cumsum(sizes)
        index = int(np.searchsorted(ends, number, side="right"))
        if self._group is None or self._group[:2] != (index, full):
            self._group = (index, full, file.read_row_group(index, columns=list(full)))
        return self._group[2], number - int(ends[index]) + sizes[index]


def matrices(values: Sequence[Any], where: str) -> NDArray[np.float64]:
    """Returns rigid transforms [n 4 4] from lists of 16 numbers, row by row.

    Raises:
        DataError: Naming the place, if one is no rigid transform.
    """
    try:
        found = np.array(values, dtype=np.float64).reshape(len(values), 4, 4)
    except (ValueError, TypeError) as err:
        raise DataError(f"{where}: expected transforms of 16 numbers: {err}") from err
    with np.errstate(invalid="ignore", over="ignore"):
        rotations = found[:, :3, :3]
        error = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(initial=0.0)
    if not error < 1e-2 or not np.isfinite(found).all() or (np.linalg.det(rotations) < 0).any():
        raise DataError(f"{where}: a transform is no rigid motion")
    return found


def _value(scalar: Any) -> Any:
    if not scalar.is_valid:
        return None
    values = getattr(scalar, "values", None)
    return scalar.as_py() if values is None else values.to_numpy(zero_copy_only=False)
