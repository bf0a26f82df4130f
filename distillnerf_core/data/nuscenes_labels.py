"""The labels of samples in nuScenes format: boxes with visibility, counts of points and attributes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distillnerf_core.data.box_visibility import points_inside, visible_fractions
from distillnerf_core.data.drive import BoxTrack, Drive, DriveImage, FloatArray
from distillnerf_core.data.nuscenes_names import attribute_of, category_of, visibility_of
from distillnerf_core.data.nuscenes_rows import NuScenesRows, link, pose_fields, token_of
from distillnerf_core.data.nuscenes_samples import SampleTime
from distillnerf_core.data.nuscenes_tables import Row

_MARGIN_NS = 100_000_000


@dataclass
class _SampleBox:
    track: BoxTrack
    pose: FloatArray
    fraction: float
    points: int = 0


class SampleLabels:
    """Gathers the boxes of all samples of a drive.

    Args:
        drive: The drive.
        samples: Its samples.
    """

    def __init__(self, drive: Drive, samples: Sequence[SampleTime]) -> None:
        self.name, self.samples = drive.name, samples
        self._has_points = any(sample.scan is not None for sample in samples)
        images: dict[int, list[DriveImage]] = {}
        for image in drive.images:
            images.setdefault(image.sweep, []).append(image)
        self._boxes = [_boxes(drive.tracks, sample, images.get(sample.sweep, [])) for sample in samples]

    def count_points(self, sample: int, points_m: FloatArray) -> None:
        """Counts the points [n 3] of the revolution of a sample, in the world, in its boxes."""
        for box in self._boxes[sample]:
            box.points = int(points_inside(points_m, box.pose, box.track.size_lwh_m).sum())

    def of_tracks(self, seen_only: bool) -> dict[str, list[tuple[int, _SampleBox]]]:
        """Returns sample and box of each track, from the first sight to the last if `seen_only`."""
        found: dict[str, list[tuple[int, _SampleBox]]] = {}
        for number, boxes in enumerate(self._boxes):
            for box in boxes:
                found.setdefault(box.track.track, []).append((number, box))
        if not seen_only:
            return found
        return {track: cut for track, boxes in found.items() if (cut := self._seen(boxes))}

    def visibility(self, sample: int, box: _SampleBox) -> str:
        """Returns the token of the level of visibility; what the LiDAR misses near by is taken for hidden."""
        missed = self.samples[sample].scan is not None and box.points == 0
        return visibility_of(0.0 if missed else box.fraction)

    def _seen(self, boxes: list[tuple[int, _SampleBox]]) -> list[tuple[int, _SampleBox]]:
        sights = [k for k, (_, box) in enumerate(boxes) if (box.points if self._has_points else box.fraction) > 0]
        return boxes[sights[0] : sights[-1] + 1] if sights else []


def write_labels(rows: NuScenesRows, labels: SampleLabels, tokens: Sequence[str], seen_only: bool) -> int:
    """Adds rows for instances and annotations.

    Args:
        rows: The tables.
        labels: The boxes, their points counted.
        tokens: Token of each sample.
        seen_only: See `NuScenesWriteConfig`.

    Returns:
        The number of annotations.
    """
    count = 0
    for track, boxes in labels.of_tracks(seen_only).items():
        category = category_of(boxes[0][1].track.label)
        instance = token_of("instance", labels.name, track)
        annotations = [
            _annotation(rows, labels, instance, category, tokens[number], number, box) for number, box in boxes
        ]
        link(annotations)
        rows.add("category", token_of("category", category), name=category, description="")
        rows.add(
            "instance",
            instance,
            category_token=token_of("category", category),
            nbr_annotations=len(annotations),
            first_annotation_token=annotations[0]["token"],
            last_annotation_token=annotations[-1]["token"],
        )
        count += len(annotations)
    return count


def _boxes(tracks: Sequence[BoxTrack], sample: SampleTime, images: Sequence[DriveImage]) -> list[_SampleBox]:
    placed = [(track, track.pose(sample.stamp_ns, _MARGIN_NS)) for track in tracks]
    found = [(track, pose) for track, pose in placed if pose is not None]
    if not found:
        return []
    sizes = np.array([track.size_lwh_m for track, _ in found])
    fractions = visible_fractions(images, np.stack([pose for _, pose in found]), sizes)
    return [_SampleBox(track, pose, float(value)) for (track, pose), value in zip(found, fractions, strict=True)]


def _annotation(
    rows: NuScenesRows, labels: SampleLabels, instance: str, category: str, sample: str, number: int, box: _SampleBox
) -> Row:
    attribute = attribute_of(category, box.track, labels.samples[number].stamp_ns)
    length, width, height = box.track.size_lwh_m
    return rows.add(
        "sample_annotation",
        token_of("sample_annotation", instance, number),
        sample_token=sample,
        instance_token=instance,
        visibility_token=labels.visibility(number, box),
        attribute_tokens=[] if attribute is None else [token_of("attribute", attribute)],
        size=[width, length, height],
        num_lidar_pts=box.points,
        num_radar_pts=0,
        **pose_fields(box.pose),
    )
