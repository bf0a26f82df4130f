"""The motion of a LiDAR during a revolution, taken out of its points."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

FloatArray = NDArray[np.float64]
ANCHOR_NS = 10_000_000
"""Longest time between two poses that are looked up; between them 30 m/s and 1 rad/s err by less than a millimetre."""


def points_to_world(
    points_m: FloatArray, stamps_ns: NDArray[np.int64], sensor_to_world: Callable[[int], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Places every point with the pose of the sensor at the point's own time.

    Poses are looked up at a few anchors and interpolated: linear in translation, spherical in rotation.

    Args:
        points_m: Points [n 3] in the frame of the sensor, metres.
        stamps_ns: Time [n] of each.
        sensor_to_world: Gives the pose [4 4] of the sensor at a time.

    Returns:
        The points [n 3] and the places [n 3] of the sensor when it measured them, world frame, metres.
    """
    if not len(points_m):
        return np.zeros((0, 3)), np.zeros((0, 3))
    first, last = int(stamps_ns.min()), int(stamps_ns.max())
    if first == last:
        pose = sensor_to_world(first)
        return points_m @ pose[:3, :3].T + pose[:3, 3], np.tile(pose[:3, 3], (len(points_m), 1))
    count = math.ceil((last - first) / ANCHOR_NS) + 1
    anchors = [first + (last - first) * step // (count - 1) for step in range(count)]
    poses = np.stack([sensor_to_world(stamp) for stamp in anchors])
    # Differences, as float64 holds no nanoseconds since 1970.
    knots, times = np.array(anchors) - first, stamps_ns - first
    turned = Slerp(knots, Rotation.from_matrix(poses[:, :3, :3]))(times).apply(points_m)
    origins = np.stack([np.interp(times, knots, poses[:, axis, 3]) for axis in range(3)], axis=-1)
    return np.asarray(turned + origins), origins
