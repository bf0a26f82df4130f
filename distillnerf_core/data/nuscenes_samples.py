"""Which times of a drive become samples of a data set in nuScenes format."""

from dataclasses import dataclass

import numpy as np

from distillnerf_core.data.drive import Drive

_FARTHEST_NS = 100_000_000


@dataclass(frozen=True)
class SampleTime:
    """A sample to be.

    Attributes:
        sweep: Key sweep of the drive.
        scan: Position of its LiDAR revolution; None where none is near.
        stamp_ns: Time of the sample: of that revolution, else of the sweep.
    """

    sweep: int
    scan: int | None
    stamp_ns: int


def plan_samples(drive: Drive) -> list[SampleTime]:
    """Returns a sample for each key sweep, with the revolution that ends next to the last image of the sweep.

    In nuScenes the cameras fire as the LiDAR turns past them, so that the revolution ends after the last image.
    """
    last_image: dict[int, int] = {}
    for image in drive.images:
        last_image[image.sweep] = max(image.stamp_ns, last_image.get(image.sweep, image.stamp_ns))
    scans = np.array(drive.scan_stamps_ns, dtype=np.int64)
    samples: list[SampleTime] = []
    taken: set[int] = set()
    for sweep in drive.key_sweeps:
        end_ns = last_image.get(sweep, drive.sweep_stamps_ns[sweep])
        scan = int(np.abs(scans - end_ns).argmin()) if len(scans) else None
        if scan is None or scan in taken or abs(int(scans[scan]) - end_ns) > _FARTHEST_NS:
            samples.append(SampleTime(sweep, None, drive.sweep_stamps_ns[sweep]))
            continue
        taken.add(scan)
        samples.append(SampleTime(sweep, scan, int(scans[scan])))
    return samples
