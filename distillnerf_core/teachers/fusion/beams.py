"""Points between neighbouring beams of a LiDAR, where both lie on one surface (section 13.1.2)."""

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveScan, FloatArray
from distillnerf_core.teachers.fusion.config import BeamConfig

Indices = NDArray[np.int64]


def interpolate_beams(scan: DriveScan, owners: Indices, config: BeamConfig) -> tuple[FloatArray, Indices]:
    """Interpolates the inverse range between beams of the same column.

    With unit rays d and ranges r of two beams, the point at the share t of the way is
    ((1 - t) d0 + t d1) / ((1 - t) / r0 + t / r1): it lies on the straight line between both points, at even angles.

    Two beams are joined where a third one, below or above, lies on their plane, or where they are about equally far.
    A limit of the jump in range would cut the ground, whose neighbouring beams lie metres apart.

    Args:
        scan: The revolution.
        owners: Object [n] that each point lies on; points of different ones are not joined.
        config: Settings.

    Returns:
        New points [m 3], world frame, metres, and for each the position in the scan of its lower beam's point, whose
        time and owner are taken. Nothing where the beams are unknown.
    """
    known = np.flatnonzero(scan.rings >= 0)
    if len(known) == 0 or config.between == 0:
        return np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    rays = scan.points_m - scan.origins_m
    table = _range_image(rays[known], scan.rings[known])
    table = np.where(table >= 0, known[table], -1)
    lower, upper = _joined(table, rays, config)
    same = owners[lower] == owners[upper]
    lower, upper = lower[same], upper[same]
    shares = (np.arange(config.between) + 1.0)[:, None, None] / (config.between + 1.0)
    inverse = 1.0 / np.linalg.norm(rays, axis=1)
    below, above = inverse[lower][:, None], inverse[upper][:, None]
    direction = (1 - shares) * (rays[lower] * below) + shares * (rays[upper] * above)
    points = scan.origins_m[lower] + direction / ((1 - shares) * below + shares * above)
    return points.reshape(-1, 3), np.tile(lower, config.between)


def _range_image(rays: FloatArray, rings: NDArray[np.int16]) -> Indices:
    """Sorts points into [beams columns], -1 where empty; gaps of one column are filled from beside."""
    columns = int(np.bincount(rings).max())
    azimuth = np.arctan2(rays[:, 1], rays[:, 0]) / (2 * np.pi) + 0.5
    column = np.floor(azimuth * columns).astype(np.int64) % columns
    table = np.full((int(rings.max()) + 1, columns), -1, dtype=np.int64)
    table[rings, column] = np.arange(len(rays))
    for shift in (1, -1):
        table = np.where(table >= 0, table, np.roll(table, shift, axis=1))
    return table


def _joined(table: Indices, rays: FloatArray, config: BeamConfig) -> tuple[Indices, Indices]:
    """Returns the points of the lower and the upper beam of all pairs that lie on one surface."""
    flat = np.hypot(rays[:, 0], rays[:, 1])
    missing = table < 0
    inverse = np.where(missing, np.nan, 1.0 / flat[table])
    slope = np.where(missing, np.nan, (rays[:, 2] / flat)[table])
    with np.errstate(invalid="ignore", divide="ignore"):
        gradient = np.diff(inverse, axis=0) / np.diff(slope, axis=0)
        # On a plane the inverse horizontal distance is linear in the slope: the next pair has the same gradient.
        error = np.abs(np.diff(gradient, axis=0)) * np.diff(slope, axis=0)[1:]
        planar = error < config.plane_tolerance * inverse[1:-1]
        near = np.abs(np.diff(1.0 / inverse, axis=0)) < config.gap_m
    joined = near
    joined[:-1] |= planar
    joined[1:] |= planar
    joined &= ~missing[:-1] & ~missing[1:]
    return table[:-1][joined], table[1:][joined]
