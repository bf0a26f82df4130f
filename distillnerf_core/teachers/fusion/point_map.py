"""Points of all revolutions: a static map in the world, and one for each object in its own frame (section 13.1.1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import BoxTrack, Drive, DriveScan, FloatArray
from distillnerf_core.teachers.fusion.beams import interpolate_beams
from distillnerf_core.teachers.fusion.config import BeamConfig, MapConfig

_TIME_STEP_NS = 10_000_000
_KEPT_WINDOWS = 2
_WINDOW_STEP_NS = 100_000_000

Points = NDArray[np.float32]


@dataclass(frozen=True)
class BeamReach:
    """How high the beams of a LiDAR rise.

    Attributes:
        slope: Height over horizontal distance of the uppermost beam; -inf without LiDAR.
        height_m: Height of the sensor in the world.
    """

    slope: float = -np.inf
    height_m: float = 0.0


@dataclass(frozen=True)
class SplitScan:
    """A revolution, taken apart.

    Attributes:
        static: Points [n 3] outside of all boxes, world frame, metres.
        objects: Points [n 3] inside the box of each track, in the box's frame.
        reach: How high the beams rise.
    """

    static: Points
    objects: Mapping[str, Points]
    reach: BeamReach


@dataclass(frozen=True)
class PlacedPoints:
    """All points as they lie at one time.

    Attributes:
        static: Static points [n 3], world frame, metres.
        objects: Points [m 3] of objects, world frame.
        reach: How high the beams rise around that time.
    """

    static: Points
    objects: Points
    reach: BeamReach


class PointMap:
    """Reads a drive's revolutions and places their points at any time.

    Args:
        drive: The drive.
        config: Which points are gathered.
        beams: Interpolation between beams.
    """

    def __init__(self, drive: Drive, config: MapConfig, beams: BeamConfig) -> None:
        self._drive, self._config, self._beams = drive, config, beams
        self._tracks = drive.tracks
        stamps = np.array(drive.scan_stamps_ns, dtype=np.int64)
        self._used = _spaced(stamps, round(config.scan_step_s * 1e9))
        self._stamps = stamps
        self._static_at = lru_cache(maxsize=_KEPT_WINDOWS)(self._gather_static)
        self._dense_scan = lru_cache(maxsize=2 * beams.nearest_scans)(self._split_densely)

    def at(self, stamp_ns: int) -> PlacedPoints:
        """Returns the points as they lie at a time."""
        static, reach = self._static_at(round(stamp_ns / _WINDOW_STEP_NS) * _WINDOW_STEP_NS)
        placed = [_moved(points, pose) for points, pose in self._objects_at(stamp_ns)]
        objects = np.concatenate(placed) if placed else np.zeros((0, 3), dtype=np.float32)
        return PlacedPoints(static, objects, reach)

    def _objects_at(self, stamp_ns: int) -> list[tuple[Points, FloatArray]]:
        poses = {track.track: track.pose(stamp_ns) for track in self._tracks if track.track in self._accumulated}
        dense = [self._dense_scan(index) for index in self._nearest(stamp_ns)]
        found = []
        for name, pose in poses.items():
            if pose is not None:
                parts = [scan.objects[name] for scan in dense if name in scan.objects]
                found.append((np.concatenate([self._accumulated[name], *parts]), pose))
        return found

    @cached_property
    def _scans(self) -> dict[int, SplitScan]:
        return {int(index): self._split(int(index), densely=False) for index in self._used}

    @cached_property
    def _accumulated(self) -> dict[str, Points]:
        """Points of each object over its whole track, in its box's frame."""
        parts: dict[str, list[Points]] = {}
        for scan in self._scans.values():
            for name, points in scan.objects.items():
                parts.setdefault(name, []).append(points)
        return {name: _thinned(np.concatenate(points), self._config.voxel_m) for name, points in parts.items()}

    def _gather_static(self, stamp_ns: int) -> tuple[Points, BeamReach]:
        window = round(self._config.window_s * 1e9)
        near = [index for index in self._used if abs(int(self._stamps[index]) - stamp_ns) <= window]
        near.sort(key=lambda index: abs(int(self._stamps[index]) - stamp_ns))
        dense = [self._dense_scan(index) for index in self._nearest(stamp_ns)]
        parts = [scan.static for scan in dense] + [self._scans[int(index)].static for index in near]
        if not parts:
            return np.zeros((0, 3), dtype=np.float32), BeamReach()
        reach = max((scan.reach for scan in dense), key=lambda reach: reach.slope, default=BeamReach())
        return _thinned(np.concatenate(parts), self._config.voxel_m), reach

    def _nearest(self, stamp_ns: int) -> list[int]:
        within = np.abs(self._stamps - stamp_ns) <= round(self._config.window_s * 1e9)
        order = np.argsort(np.abs(self._stamps - stamp_ns), kind="stable")
        return [int(index) for index in order[: self._beams.nearest_scans] if within[index]]

    def _split_densely(self, index: int) -> SplitScan:
        return self._split(index, densely=True)

    def _split(self, index: int, densely: bool) -> SplitScan:
        scan = _within(self._drive.read_scan(index), self._config)
        rays = scan.points_m - scan.origins_m
        slopes = rays[:, 2] / np.maximum(np.hypot(rays[:, 0], rays[:, 1]), 1e-6)
        reach = BeamReach()
        if len(slopes):
            reach = BeamReach(float(np.percentile(slopes, 99.5)), float(scan.origins_m[:, 2].mean()))
        points, stamps = scan.points_m, scan.stamps_ns
        owners = find_owners(points, stamps, self._tracks, self._config.box_scale)
        if densely:
            between, source = interpolate_beams(scan, owners, self._beams)
            points = np.concatenate([points, between])
            stamps, owners = np.concatenate([stamps, stamps[source]]), np.concatenate([owners, owners[source]])
        objects = {
            self._tracks[owner].track: _in_box_frame(
                self._tracks[owner], points[owners == owner], stamps[owners == owner]
            )
            for owner in np.unique(owners[owners >= 0])
        }
        return SplitScan(points[owners < 0].astype(np.float32), objects, reach)


def _within(scan: DriveScan, config: MapConfig) -> DriveScan:
    """Leaves out points that are too near or too far."""
    ranges = np.linalg.norm(scan.points_m - scan.origins_m, axis=1)
    kept = (ranges > config.nearest_m) & (ranges < config.farthest_m)
    return DriveScan(scan.stamp_ns, scan.points_m[kept], scan.origins_m[kept], scan.stamps_ns[kept], scan.rings[kept])


def find_owners(
    points_m: FloatArray, stamps_ns: NDArray[np.int64], tracks: Sequence[BoxTrack], scale: float
) -> NDArray[np.int64]:
    """Returns for each point [n] of the world the position of the track whose enlarged box holds it; -1 for none."""
    owners = np.full(len(points_m), -1, dtype=np.int64)
    for chosen, stamp in _steps(stamps_ns):
        group = points_m[chosen]
        for number, track in enumerate(tracks):
            pose = track.pose(stamp)
            if pose is not None:
                owners[chosen[inside_box(group, pose, np.array(track.size_lwh_m) * scale)]] = number
    return owners


def _in_box_frame(track: BoxTrack, points_m: FloatArray, stamps_ns: NDArray[np.int64]) -> Points:
    local = np.zeros(points_m.shape, dtype=np.float32)
    for chosen, stamp in _steps(stamps_ns):
        pose = track.pose(stamp)
        if pose is not None:
            local[chosen] = (points_m[chosen] - pose[:3, 3]) @ pose[:3, :3]
    return local


def _steps(stamps_ns: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yields the positions of points of about one time, and this time."""
    steps = stamps_ns // _TIME_STEP_NS
    for step in np.unique(steps):
        chosen = np.flatnonzero(steps == step)
        first = int(stamps_ns[chosen[0]])
        yield chosen, first + int(np.median(stamps_ns[chosen] - first))


def inside_box(points_m: FloatArray, pose: FloatArray, size_m: FloatArray) -> NDArray[np.int64]:
    """Returns the positions [k] of the points [n 3] that lie inside a box.

    Args:
        points_m: Points in the world frame, metres.
        pose: box_to_world [4 4], the box's middle.
        size_m: Length, width and height of the box.
    """
    reach = np.linalg.norm(size_m) / 2
    near = np.abs(points_m[:, 0] - pose[0, 3]) <= reach
    near &= np.abs(points_m[:, 1] - pose[1, 3]) <= reach
    candidates = np.flatnonzero(near)
    local = (points_m[candidates] - pose[:3, 3]) @ pose[:3, :3]
    return candidates[(np.abs(local) <= size_m / 2).all(axis=1)]


def _spaced(stamps_ns: NDArray[np.int64], step_ns: int) -> NDArray[np.int64]:
    """Chooses positions of ascending stamps so that no two lie closer than a step (a tenth of it is forgiven)."""
    chosen: list[int] = []
    for index, stamp in enumerate(stamps_ns):
        if not chosen or stamp - stamps_ns[chosen[-1]] >= 0.9 * step_ns:
            chosen.append(index)
    return np.array(chosen, dtype=np.int64)


def _thinned(points_m: Points, voxel_m: float) -> Points:
    """Keeps the first point of each voxel."""
    if len(points_m) == 0:
        return points_m
    cells = np.floor((points_m - points_m.min(axis=0)) / voxel_m).astype(np.int64)
    x, y, z = cells.T
    _, first = np.unique((x << 42) | (y << 21) | z, return_index=True)
    return points_m[np.sort(first)]


def _moved(points_m: Points, pose: FloatArray) -> Points:
    return np.asarray(points_m @ pose[:3, :3].T + pose[:3, 3], dtype=np.float32)
