"""Labelled objects of the Waymo Open Dataset as tracks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from distillnerf_core.data.drive import BoxTrack, FloatArray
from distillnerf_core.data.waymo_tables import FRAME_KEY, OBJECT_KEY, ComponentTable
from distillnerf_core.errors import DataError

LABELS = {0: "unknown", 1: "vehicle", 2: "pedestrian", 3: "sign", 4: "cyclist"}
"""BoxType in `waymo_open_dataset/v2/perception/box.py`."""
_NUMBERS = (*(f"box.{kind}.{axis}" for kind in ("center", "size") for axis in "xyz"), "box.heading")


def read_tracks(table: ComponentTable, vehicle_to_world: Mapping[int, FloatArray]) -> tuple[BoxTrack, ...]:
    """Reads the component lidar_box.

    Boxes are upright in the vehicle frame of the frame's pose (LiDARBoxComponent), and live at the start of the frame
    (LiDARCameraSyncedBoxComponent). A track has the median of its sizes.

    Args:
        table: The component.
        vehicle_to_world: Pose [4 4] of each frame by its time in microseconds.

    Returns:
        The tracks, by their names; those of frames without a pose are left out.

    Raises:
        DataError: If the table is missing or damaged.
    """
    columns = table.columns(FRAME_KEY, OBJECT_KEY, "type", *_NUMBERS)
    try:
        numbers = np.array([columns[name] for name in _NUMBERS], dtype=np.float64).reshape(len(_NUMBERS), -1).T
    except (ValueError, TypeError) as err:
        raise DataError(f"{table.path}: boxes that are no numbers: {err}") from err
    if not np.isfinite(numbers).all() or (numbers[:, 3:6] <= 0).any():
        raise DataError(f"{table.path}: boxes that are not finite or have no size")
    rows: dict[str, dict[int, int]] = {}
    for row, (frame_us, name) in enumerate(zip(columns[FRAME_KEY], columns[OBJECT_KEY], strict=True)):
        if frame_us in vehicle_to_world:
            rows.setdefault(str(name), {})[frame_us] = row
    return tuple(
        _track(name, frames, numbers, columns["type"], vehicle_to_world) for name, frames in sorted(rows.items())
    )


def _track(
    name: str, frames: Mapping[int, int], numbers: FloatArray, types: list[Any], poses: Mapping[int, FloatArray]
) -> BoxTrack:
    stamps = sorted(frames)
    order = [frames[stamp] for stamp in stamps]
    length, width, height = np.median(numbers[order, 3:6], axis=0).tolist()
    placed = np.stack([poses[stamp] @ _upright(numbers[row]) for stamp, row in zip(stamps, order, strict=True)])
    label = LABELS.get(types[order[0]], "unknown")
    return BoxTrack(name, label, (length, width, height), np.array(stamps, dtype=np.int64) * 1000, placed)


def _upright(numbers: FloatArray) -> FloatArray:
    """Returns the pose [4 4] of a box in the vehicle frame from x, y, z, sizes and heading."""
    cos, sin = np.cos(numbers[6]), np.sin(numbers[6])
    pose = np.eye(4)
    pose[:2, :2] = [[cos, -sin], [sin, cos]]
    pose[:3, 3] = numbers[:3]
    return pose
