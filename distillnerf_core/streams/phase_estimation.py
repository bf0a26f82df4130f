"""Estimates when each camera fires within a sweep from the stamps of its images."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

_NEIGHBOURHOOD_NS = 75_000_000
_CLUSTER_NS = 6_000_000
_EQUAL_SUPPORT = 0.72


def estimate_phases(stamps_ns: Mapping[str, Sequence[int]], reference: str) -> dict[str, float]:
    """Finds the offset of each camera to the reference camera that most of its images share.

    Where gaps between sweeps vary, only the true offset recurs in every sweep; where they are constant, offsets that
    differ by whole periods are equally frequent, and the smallest is taken.

    Args:
        stamps_ns: Stamps of each camera's images, sorted.
        reference: Camera whose phase is 0.

    Returns:
        Offset of each camera in milliseconds; cameras without images near the reference's are left out.
    """
    phases = {}
    for camera, stamps in stamps_ns.items():
        offsets = _offsets(stamps, stamps_ns.get(reference, ()))
        if offsets:
            phases[camera] = _most_frequent(offsets) * 1e-6
    return phases


class PhaseEstimator:
    """Collects stamps until there are enough for an estimate.

    Args:
        cameras: Camera names.
        reference: Camera whose phase is 0.
        sweeps: Images of the reference camera to wait for.
    """

    def __init__(self, cameras: Sequence[str], reference: str, sweeps: int = 24) -> None:
        self._stamps: dict[str, list[int]] = {camera: [] for camera in cameras}
        self._reference = reference
        self._sweeps = sweeps

    def add(self, camera: str, stamp_ns: int) -> dict[str, float] | None:
        """Takes a stamp; returns the phases in milliseconds once there are enough, and starts over."""
        stamps = self._stamps[camera]
        if (stamps and stamp_ns <= stamps[-1]) or len(stamps) > 4 * self._sweeps:
            self._clear()
        self._stamps[camera].append(stamp_ns)
        if len(self._stamps[self._reference]) <= self._sweeps:
            return None
        phases = estimate_phases(self._stamps, self._reference)
        self._clear()
        return phases

    def _clear(self) -> None:
        for stamps in self._stamps.values():
            stamps.clear()


def _offsets(stamps: Sequence[int], references: Sequence[int]) -> list[int]:
    offsets = []
    for stamp in stamps:
        first = bisect_left(references, stamp - _NEIGHBOURHOOD_NS)
        last = bisect_right(references, stamp + _NEIGHBOURHOOD_NS)
        offsets += [stamp - reference for reference in references[first:last]]
    return sorted(offsets)


def _most_frequent(offsets: list[int]) -> int:
    ends = [bisect_right(offsets, offset + _CLUSTER_NS) for offset in offsets]
    support = [end - start for start, end in enumerate(ends)]
    enough = _EQUAL_SUPPORT * max(support)
    medians = [
        offsets[(start + end) // 2]
        for start, (end, count) in enumerate(zip(ends, support, strict=True))
        if count >= enough
    ]
    return min(medians, key=abs)
