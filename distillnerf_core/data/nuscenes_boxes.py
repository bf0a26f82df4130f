"""The labelled boxes of nuScenes scenes as tracks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from distillnerf_core.data.drive import BoxTrack, FloatArray
from distillnerf_core.data.nuscenes_tables import NuScenesTables, Row, Sample, row_pose

_KEYS = ("sample_token", "instance_token", "translation", "rotation", "size")


@dataclass(frozen=True)
class _Box:
    instance: str
    scene: str
    stamp_ns: int
    size_lwh_m: tuple[float, float, float]
    box_to_global: FloatArray


def read_tracks(tables: NuScenesTables, samples: Mapping[str, Sample]) -> dict[str, list[BoxTrack]]:
    """Reads the boxes of some scenes, each table once; a track is an instance.

    Args:
        tables: The tables.
        samples: From `NuScenesTables.samples`.

    Returns:
        Tracks in the global frame by the names of the scenes, none where nothing is labelled. A box keeps the median
        of its sizes.

    Raises:
        DataError: If a table is missing or damaged.
    """
    kinds = {row["token"]: str(row["name"]) for row in tables.rows("category", ("token", "name"))}
    categories = {
        str(row["token"]): tables.convert("instance", row, lambda row: kinds[row["category_token"]])
        for row in tables.rows("instance", ("token", "category_token"))
    }
    boxes: dict[tuple[str, str], list[_Box]] = {}
    for row in tables.rows("sample_annotation", _KEYS):
        if row["sample_token"] in samples:
            box = tables.convert("sample_annotation", row, lambda row: _box(row, samples, categories))
            boxes.setdefault((box.scene, box.instance), []).append(box)
    tracks: dict[str, list[BoxTrack]] = {sample.scene: [] for sample in samples.values()}
    for (scene, instance), found in boxes.items():
        tracks[scene].append(_track(instance, categories[instance], found))
    return tracks


def _box(row: Row, samples: Mapping[str, Sample], categories: Mapping[str, str]) -> _Box:
    sample, instance = samples[row["sample_token"]], str(row["instance_token"])
    width, length, height = (float(value) for value in row["size"])
    if not min(length, width, height) > 0 or instance not in categories:
        raise ValueError("no size or no known instance")
    return _Box(instance, sample.scene, sample.stamp_ns, (length, width, height), row_pose(row))


def _track(instance: str, category: str, boxes: Iterable[_Box]) -> BoxTrack:
    ordered = list({box.stamp_ns: box for box in sorted(boxes, key=lambda box: box.stamp_ns)}.values())
    length, width, height = np.median([box.size_lwh_m for box in ordered], axis=0).tolist()
    return BoxTrack(
        track=instance,
        label=category,
        size_lwh_m=(length, width, height),
        stamps_ns=np.array([box.stamp_ns for box in ordered], dtype=np.int64),
        box_to_world=np.stack([box.box_to_global for box in ordered]),
    )
