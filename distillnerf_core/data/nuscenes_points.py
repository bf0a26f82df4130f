"""LiDAR revolutions as files of nuScenes: x y z intensity ring, in the frame of the sensor at the end."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveScan, FloatArray

_MOST_EMPTY = 4
_LATE_NS = 500_000


def write_revolution(path: Path, scan: DriveScan, lidar_to_world: FloatArray, rotation_ns: int) -> None:
    """Writes a revolution; intensities are 0, as scans have none.

    Where rings and times form columns of beams that are spread evenly over the revolution, the missing shots are
    written, too, at the place of the sensor, as in recorded files: so the order of all points tells their times.

    Args:
        path: The .pcd.bin.
        scan: The revolution.
        lidar_to_world: Pose [4 4] of the sensor at the stamp, metres.
        rotation_ns: Duration of a revolution.

    Raises:
        OSError: If the file cannot be written.
    """
    order = np.lexsort((scan.rings, scan.stamps_ns))
    points, rings = scan.points_m[order], scan.rings[order]
    whole = _columns(scan, order, rotation_ns)
    if whole is not None:
        column, beams, first = whole
        filled = np.repeat(scan.origins_m[order][first], beams, axis=0)
        filled[column * beams + rings] = points
        points, rings = filled, np.tile(np.arange(beams, dtype=np.int16), len(first))
    local = (points - lidar_to_world[:3, 3]) @ lidar_to_world[:3, :3]
    np.column_stack((local, np.zeros(len(local)), rings)).astype("<f4").tofile(path)


def _columns(
    scan: DriveScan, order: NDArray[np.int64], rotation_ns: int
) -> tuple[NDArray[np.int64], int, NDArray[np.int64]] | None:
    """Returns column [n], beams and first point of each column; None unless the columns tell the times."""
    rings = scan.rings[order]
    if not len(rings) or rings.min() < 0:
        return None
    stamps, first, column = np.unique(scan.stamps_ns[order], return_index=True, return_inverse=True)
    beams, count = int(rings.max()) + 1, len(stamps)
    once = len(np.unique(column * beams + rings)) == len(rings)
    if count < 2 or not once or count * beams > _MOST_EMPTY * len(rings):
        return None
    told = scan.stamp_ns - rotation_ns + rotation_ns * np.arange(count) / (count - 1)
    return (column, beams, first) if np.abs(told - stamps).max() < _LATE_NS else None
