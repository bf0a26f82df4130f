"""Images of several cameras paired to sweeps by their times."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from distillnerf_core.data.nuscenes_tables import Reading


@dataclass(frozen=True)
class ImageSweep:
    """What the cameras saw in one turn.

    Attributes:
        stamp_ns: Time of the reference camera, estimated from the others where its image is missing.
        readings: Image of each camera that has one, by its name.
        sample: Token of the sample whose key frames these are; None between samples.
    """

    stamp_ns: int
    readings: dict[str, Reading]
    sample: str | None


def pair_images(
    readings: Sequence[Reading], cameras: Sequence[str], reference: str, tolerance_ns: int
) -> list[ImageSweep]:
    """Pairs images whose times, less the usual delay of their camera, agree.

    Pairing the t-th images of all cameras, as is customary, errs by a sweep from the first dropped image on. The usual
    delays are taken from the key frames, which the tables pair.

    Args:
        readings: Images of these cameras in the order of time.
        cameras: Their names.
        reference: The camera whose time is that of a sweep, one of them.
        tolerance_ns: Longest time between the images of a sweep once the delays are taken out. nuScenes triggers its
            cameras with the revolutions of the LiDAR, 50 ms apart, so half of that separates them.

    Returns:
        The sweeps in the order of time; that with the most key frames of a sample is the sample's.
    """
    delays = _delays(readings, cameras, reference)
    groups: list[dict[str, Reading]] = []
    first_ns = 0
    for item in sorted(readings, key=lambda item: item.stamp_ns - delays[item.sensor.channel]):
        stamp = item.stamp_ns - delays[item.sensor.channel]
        if not groups or stamp - first_ns > tolerance_ns or item.sensor.channel in groups[-1]:
            groups.append({})
            first_ns = stamp
        groups[-1][item.sensor.channel] = item
    owners = _owners(groups)
    return [_sweep(group, delays, reference, owners.get(index)) for index, group in enumerate(groups)]


def _delays(readings: Sequence[Reading], cameras: Sequence[str], reference: str) -> dict[str, int]:
    keys: dict[str, dict[str, int]] = {}
    for item in readings:
        if item.key_frame:
            keys.setdefault(item.sample, {})[item.sensor.channel] = item.stamp_ns
    delays = {}
    for camera in cameras:
        apart = [found[camera] - found[reference] for found in keys.values() if camera in found and reference in found]
        delays[camera] = round(float(np.median(apart))) if apart else 0
    return delays


def _owners(groups: Sequence[Mapping[str, Reading]]) -> dict[int, str]:
    """Returns the sample of each group that is one's."""
    counts = Counter(
        (item.sample, index) for index, group in enumerate(groups) for item in group.values() if item.key_frame
    )
    owners: dict[str, int] = {}
    for (sample, index), _ in counts.most_common():
        owners.setdefault(sample, index)
    return {index: sample for sample, index in owners.items()}


def _sweep(group: dict[str, Reading], delays: Mapping[str, int], reference: str, sample: str | None) -> ImageSweep:
    stamps = [item.stamp_ns - delays[name] for name, item in group.items()]
    stamp = group[reference].stamp_ns if reference in group else sum(stamps) // len(stamps)
    return ImageSweep(stamp, group, sample)
