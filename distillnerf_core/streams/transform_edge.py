"""The history of one transform between two frames, interpolated in time."""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import TransformError
from distillnerf_core.geometry.transforms import interpolate_rigid

FloatArray = NDArray[np.float64]

MAX_POSES = 20_000
"""Most poses of one transform that are kept; 10 s of history at 2 kHz."""
MAX_RECORDED_POSES = 2_000_000
"""The same where a recording is kept whole; five hours at 100 Hz."""


class TransformEdge:
    """Poses of a child frame in its parent, sorted by time.

    Args:
        parent: Name of the parent frame.
        child: Name of the child frame.
        static: One pose for all times.
        most_poses: Older ones are forgotten.
    """

    def __init__(self, parent: str, child: str, static: bool, most_poses: int = MAX_POSES) -> None:
        self.parent = parent
        self.child = child
        self.static = static
        self._most_poses = most_poses
        self._stamps_ns: list[int] = []
        self._matrices: list[FloatArray] = []

    @property
    def newest_ns(self) -> int:
        """Time of the newest pose."""
        return self._stamps_ns[-1]

    def insert(self, stamp_ns: int, matrix: FloatArray, history_ns: int) -> None:
        """Adds a pose, replaces one of the same time, and forgets those older than the history."""
        if self.static:
            self._stamps_ns, self._matrices = [stamp_ns], [matrix]
            return
        index = bisect_left(self._stamps_ns, stamp_ns)
        if index < len(self._stamps_ns) and self._stamps_ns[index] == stamp_ns:
            self._matrices[index] = matrix
            return
        self._stamps_ns.insert(index, stamp_ns)
        self._matrices.insert(index, matrix)
        outdated = bisect_left(self._stamps_ns, self.newest_ns - history_ns)
        outdated = max(outdated, len(self._stamps_ns) - self._most_poses)
        del self._stamps_ns[:outdated], self._matrices[:outdated]

    def at(self, stamp_ns: int, tolerance_ns: int, max_gap_ns: int) -> FloatArray:
        """Returns `parent_from_child` [4 4] at a time.

        Linear in translation and spherical in rotation between two poses; constant velocity beyond the ends.

        Args:
            stamp_ns: Time asked for.
            tolerance_ns: How far beyond the oldest or newest pose the answer may lie.
            max_gap_ns: Largest distance between two poses that is bridged.

        Raises:
            TransformError: Naming the frames and the gap.
        """
        stamps = self._stamps_ns
        if self.static:
            return self._matrices[0]
        if not stamps[0] - tolerance_ns <= stamp_ns <= stamps[-1] + tolerance_ns:
            raise TransformError(self._outside(stamp_ns, tolerance_ns))
        if len(stamps) == 1:
            return self._matrices[0]
        after = min(max(bisect_left(stamps, stamp_ns), 1), len(stamps) - 1)
        gap = stamps[after] - stamps[after - 1]
        if gap > max_gap_ns:
            raise TransformError(
                f"transform {self.parent} -> {self.child}: a gap of {gap * 1e-9:.3f} s is above "
                f"the limit of {max_gap_ns * 1e-9:.3f} s; check the node that publishes it"
            )
        fraction = (stamp_ns - stamps[after - 1]) / gap
        return interpolate_rigid(self._matrices[after - 1], self._matrices[after], fraction)

    def latest(self) -> FloatArray:
        """Returns the newest `parent_from_child` [4 4]."""
        return self._matrices[-1]

    def _outside(self, stamp_ns: int, tolerance_ns: int) -> str:
        early = stamp_ns < self._stamps_ns[0]
        distance = self._stamps_ns[0] - stamp_ns if early else stamp_ns - self._stamps_ns[-1]
        side = "before the oldest" if early else "after the newest"
        return (
            f"transform {self.parent} -> {self.child}: asked for {distance * 1e-9:.3f} s {side} known one "
            f"(tolerance {tolerance_ns * 1e-9:.3f} s); wait for it, or check that /tf is published"
        )
