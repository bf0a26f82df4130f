"""Poses over time, between which a vehicle moves evenly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from distillnerf_core.data.drive import FloatArray
from distillnerf_core.geometry.transforms import interpolate_rigid

_SPEED_BASE_NS = 50_000_000


class PoseTrack:
    """Interpolates poses: linear in translation, spherical in rotation.

    Args:
        stamps_ns: Times [n] of the poses, ascending, each once, at least one.
        poses: Poses [n 4 4].
        margin_ns: How far the first and the last motion go on; beyond, nothing moves.
    """

    def __init__(self, stamps_ns: Sequence[int], poses: Sequence[FloatArray], margin_ns: int = 100_000_000) -> None:
        stamps, placed = list(stamps_ns), list(poses)
        if len(stamps) > 1:
            later = next((k for k, stamp in enumerate(stamps) if stamp - stamps[0] >= _SPEED_BASE_NS), len(stamps) - 1)
            past = [k for k, stamp in enumerate(stamps) if stamps[-1] - stamp >= _SPEED_BASE_NS]
            earlier = past[-1] if past else 0
            before = interpolate_rigid(placed[0], placed[later], -margin_ns / (stamps[later] - stamps[0]))
            span = stamps[-1] - stamps[earlier]
            after = interpolate_rigid(placed[earlier], placed[-1], (span + margin_ns) / span)
            stamps, placed = [stamps[0] - margin_ns, *stamps, stamps[-1] + margin_ns], [before, *placed, after]
        self._start_ns = stamps[0]
        # Differences, as float64 holds no nanoseconds since 1970.
        self._knots = np.array(stamps, dtype=np.int64) - self._start_ns
        self._places = np.stack([pose[:3, 3] for pose in placed])
        rotations = Rotation.from_matrix(np.stack([pose[:3, :3] for pose in placed]))
        self._turns = Slerp(self._knots, rotations) if len(stamps) > 1 else None
        self._only = placed[0]

    def at(self, stamps_ns: NDArray[np.int64]) -> FloatArray:
        """Returns the poses [n 4 4] at times [n]."""
        if self._turns is None:
            return np.tile(self._only, (len(stamps_ns), 1, 1))
        times = np.clip(stamps_ns - self._start_ns, 0, self._knots[-1])
        poses = np.tile(np.eye(4), (len(times), 1, 1))
        poses[:, :3, :3] = self._turns(times).as_matrix()
        poses[:, :3, 3] = np.stack([np.interp(times, self._knots, place) for place in self._places.T], axis=-1)
        return poses

    def at_one(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] at a time."""
        return np.asarray(self.at(np.array([stamp_ns], dtype=np.int64))[0])
