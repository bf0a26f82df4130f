"""A tree of transforms with time: "base at t1 from camera at t2 through the fixed frame"."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import TransformError
from distillnerf_core.streams.log_throttle import LogThrottle
from distillnerf_core.streams.message_fields import NANOSECONDS
from distillnerf_core.streams.stamped_transform import frame_name, transform_from_message
from distillnerf_core.streams.stream_config import TransformConfig
from distillnerf_core.streams.transform_edge import MAX_POSES, MAX_RECORDED_POSES, TransformEdge

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
_RIGID_TOLERANCE = 1e-3
_LAST_ROW = np.array([0.0, 0.0, 0.0, 1.0])
MAX_TRANSFORMS = 1000
"""Most transforms of one message that are read."""
_MOST_REPORTED = 5
_MOST_NAMED = 20


class TransformBuffer:
    """Keeps a bounded history of every moving transform; NumPy float64, single-threaded.

    Args:
        config: Limits.
        whole: Keep a recording from its beginning to its end: nothing is forgotten, and a transform that steps back in
            time by more than the limit is refused.
    """

    def __init__(self, config: TransformConfig | None = None, whole: bool = False) -> None:
        self.config = config or TransformConfig()
        self._whole = whole
        self._parent_log = LogThrottle()
        self._edges: dict[str, TransformEdge] = {}
        self._history_ns = 2**62 if whole else round(self.config.history_s * NANOSECONDS)
        self._jump_ns = round(self.config.backward_jump_s * NANOSECONDS)
        self._max_gap_ns = round(self.config.max_gap_s * NANOSECONDS)

    @property
    def frames(self) -> frozenset[str]:
        """Names of all known frames."""
        return frozenset(self._edges) | {edge.parent for edge in self._edges.values()}

    def add_message(self, message: Any, static: bool = False) -> None:
        """Takes a `tf2_msgs/TFMessage`.

        Raises:
            TransformError: Describing every bad transform; the good ones of the message were taken.
        """
        problems = []
        count = len(message.transforms)
        if count > MAX_TRANSFORMS:
            problems.append(f"a message of {count} transforms: those after the first {MAX_TRANSFORMS} are left out")
        for item in message.transforms[:MAX_TRANSFORMS]:
            try:
                read = transform_from_message(item)
                self.add(read.parent, read.child, read.stamp_ns, read.matrix, static)
            except TransformError as err:
                problems.append(str(err))
        if len(problems) > _MOST_REPORTED:
            problems[_MOST_REPORTED:] = [f"and {len(problems) - _MOST_REPORTED} more"]
        if problems:
            raise TransformError("; ".join(problems))

    def add(self, parent: str, child: str, stamp_ns: int, matrix: FloatArray, static: bool = False) -> None:
        """Takes the pose of a child frame in its parent.

        Args:
            parent: Parent frame.
            child: Child frame.
            stamp_ns: Time of validity; a step back by more than the limit clears all moving transforms (see `whole`).
            matrix: `parent_from_child` [4 4], metres.
            static: Valid for all times.

        Raises:
            TransformError: If the matrix is no rigid motion, the edge would close a loop, there are too many frames, or
                the step back is refused.
        """
        parent, child = frame_name(parent), frame_name(child)
        _check_rigid(matrix, f"transform {parent} -> {child}")
        edge = self._edges.get(child)
        if edge is None and len(self._edges) >= self.config.max_frames:
            raise TransformError(
                f"transform {parent} -> {child}: more than {self.config.max_frames} frames (tf.max_frames); "
                "check who publishes names without end"
            )
        if edge is not None and not static and not edge.static and stamp_ns < edge.newest_ns - self._jump_ns:
            self._step_back(edge, stamp_ns)
            edge = None
        if edge is None or edge.parent != parent or edge.static != static:
            self._check_loop(parent, child)
            if edge is not None and self._parent_log.allows():
                logger.warning("frame %s: parent %s is replaced by %s", child, edge.parent, parent)
            most = MAX_RECORDED_POSES if self._whole else MAX_POSES
            edge = self._edges[child] = TransformEdge(parent, child, static, most)
        edge.insert(stamp_ns, matrix, self._history_ns)

    def clear(self) -> None:
        """Forgets all moving transforms, after a jump in time; static ones stay."""
        self._edges = {child: edge for child, edge in self._edges.items() if edge.static}

    def forget_ahead_of(self, stamp_ns: int) -> None:
        """Forgets moving transforms with poses after a time: they are from before a jump back to it."""
        self._edges = {child: edge for child, edge in self._edges.items() if edge.static or edge.newest_ns <= stamp_ns}

    def connected(self, first: str, second: str) -> bool:
        """Tells whether both frames hang on one tree."""
        known = self.frames
        if first not in known or second not in known:
            return False
        return self._path(frame_name(first))[-1] == self._path(frame_name(second))[-1]

    def root(self, frame: str) -> str:
        """Returns the top of the tree that a frame hangs on; the frame itself where it has no parent."""
        return self._path(frame_name(frame))[-1]

    def lookup(
        self,
        target_frame: str,
        target_stamp_ns: int,
        source_frame: str,
        source_stamp_ns: int,
        fixed_frame: str,
        *,
        tolerance_s: float | None = None,
    ) -> FloatArray:
        """Returns target at its time from source at its own time, through a frame that does not move.

        Args:
            target_frame: Frame to express points in.
            target_stamp_ns: Time of the target frame.
            source_frame: Frame that points are in.
            source_stamp_ns: Time of the source frame.
            fixed_frame: Frame in which both move.
            tolerance_s: How far beyond known transforms to go; the configured one where None.

        Returns:
            `target_from_source` [4 4], metres.

        Raises:
            TransformError: Naming the frames, and the gap in time where that is the trouble.
        """
        limit = self.config.tolerance_s if tolerance_s is None else tolerance_s
        limit_ns = round(limit * NANOSECONDS)

        def pose_at(stamp_ns: int) -> Callable[[TransformEdge], FloatArray]:
            """Returns what reads an edge at a time."""
            return lambda edge: edge.at(stamp_ns, limit_ns, self._max_gap_ns)

        fixed_from_target = self._between(fixed_frame, target_frame, pose_at(target_stamp_ns))
        fixed_from_source = self._between(fixed_frame, source_frame, pose_at(source_stamp_ns))
        return _relative(fixed_from_target, fixed_from_source)

    def lookup_latest(self, target_frame: str, source_frame: str) -> FloatArray:
        """Returns `target_from_source` [4 4] from the newest pose of every edge, whatever its time.

        Raises:
            TransformError: If the frames are unknown or not connected.
        """
        return self._between(target_frame, source_frame, TransformEdge.latest)

    def _between(self, target: str, source: str, pose: Callable[[TransformEdge], FloatArray]) -> FloatArray:
        target, source = frame_name(target), frame_name(source)
        target_path, source_path = self._path(target), self._path(source)
        if target_path[-1] != source_path[-1]:
            names = sorted(self.frames)
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            known = (", ".join(names[:_MOST_NAMED]) or "none") + more
            raise TransformError(
                f"frames {target} and {source} are not connected; known are {known}; check /tf, /tf_static"
            )
        shared = next(frame for frame in source_path if frame in set(target_path))
        up_from_source = self._climb(source_path, shared, pose)
        up_from_target = self._climb(target_path, shared, pose)
        return _relative(up_from_target, up_from_source)

    def _climb(self, path: list[str], ancestor: str, pose: Callable[[TransformEdge], FloatArray]) -> FloatArray:
        matrix = np.eye(4)
        for frame in path[: path.index(ancestor)]:
            matrix = pose(self._edges[frame]) @ matrix
        return matrix

    def _path(self, frame: str) -> list[str]:
        path = [frame]
        while path[-1] in self._edges:
            path.append(self._edges[path[-1]].parent)
        return path

    def _step_back(self, edge: TransformEdge, stamp_ns: int) -> None:
        if self._whole:
            raise TransformError(
                f"transform {edge.parent} -> {edge.child}: steps back by {(edge.newest_ns - stamp_ns) * 1e-9:.3f} s; "
                "it is left out; record each drive on its own"
            )
        self.clear()

    def _check_loop(self, parent: str, child: str) -> None:
        path = self._path(parent)
        if child in path:
            loop = " -> ".join([*path[: path.index(child) + 1][::-1], child])
            raise TransformError(f"transform {parent} -> {child} closes a loop ({loop}); check who publishes it")


def _relative(common_from_target: FloatArray, common_from_source: FloatArray) -> FloatArray:
    relative: FloatArray = np.linalg.solve(common_from_target, common_from_source).astype(np.float64)
    relative[3] = (0.0, 0.0, 0.0, 1.0)
    return relative


def _check_rigid(matrix: FloatArray, what: str) -> None:
    if matrix.shape != (4, 4):
        raise TransformError(f"{what}: expected a 4x4 matrix, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise TransformError(f"{what}: not a finite number; check the node that publishes it")
    rotation = matrix[:3, :3]
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > _RIGID_TOLERANCE or np.linalg.det(rotation) < 0 or np.abs(matrix[3] - _LAST_ROW).max() > 1e-8:
        raise TransformError(f"{what}: the matrix is no rigid motion (rotation error {error:.3g})")
