"""The time of each point of a `sensor_msgs/PointCloud2`: what drivers mean by their time fields."""

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import DataError
from distillnerf_core.streams.message_fields import NANOSECONDS

TIME_FIELDS = ("time", "t", "timestamp", "time_stamp", "offset_time")
"""Names of the field: Velodyne, Ouster, Hesai, Autoware, Livox."""
MOST_SECONDS = 2.0
"""Longest time between a point and the stamp of its message: more than any revolution takes."""
_ABSOLUTE_UNITS_NS = (NANOSECONDS, 1_000_000, 1_000, 1)


def point_stamps(values: NDArray[np.generic], stamp_ns: int, source: str) -> NDArray[np.int64]:
    """Returns the time [n] of each point in nanoseconds.

    A float32 is seconds after the stamp of the message (before it where negative), a 32-bit integer nanoseconds after
    it. A float64 is the same as a float32, or a time of its own in seconds, milliseconds, microseconds or
    nanoseconds, whichever is nearest to the stamp.

    Args:
        values: The field [n] of finite numbers.
        stamp_ns: Stamp of the message.
        source: Topic and field, for error messages.

    Raises:
        DataError: If the type of the field, or what it holds, is no time.
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    kind = values.dtype.str[1:]
    if kind in ("i4", "u4"):
        offsets = values.astype(np.int64)
    elif kind in ("f4", "f8"):
        offsets = _offsets(values.astype(np.float64), stamp_ns, source)
    else:
        raise DataError(f"{source}: a time of type {kind} is not known; expected float32, float64, int32 or uint32")
    largest_s = float(np.abs(offsets).max()) / NANOSECONDS
    if largest_s > MOST_SECONDS:
        raise DataError(
            f"{source}: points are up to {largest_s:g} s from the stamp of their message, above the limit of "
            f"{MOST_SECONDS:g} s; let the driver stamp both by one clock, or set point_times to off"
        )
    return offsets + stamp_ns


def _offsets(values: NDArray[np.float64], stamp_ns: int, source: str) -> NDArray[np.int64]:
    """Returns nanoseconds after the stamp; times of their own lose no digits, as whole units are subtracted first."""
    if not np.isfinite(values).all() or np.abs(values).max() > 2.0**62:
        raise DataError(f"{source}: times that are not finite; check the driver, or set point_times to off")
    middle = float(np.median(values))
    if abs(middle) <= MOST_SECONDS:
        return np.asarray(np.rint(values * NANOSECONDS), dtype=np.int64)
    unit_ns = min(_ABSOLUTE_UNITS_NS, key=lambda unit: abs(middle * unit - stamp_ns))
    whole = np.floor(values)
    far = np.abs(whole * unit_ns - stamp_ns) > 2.0**62
    if far.any():
        raise DataError(f"{source}: times up to {np.abs(values).max():g}, which no clock shows; check the driver")
    rest = np.rint((values - whole) * unit_ns)
    return np.asarray(whole.astype(np.int64) * unit_ns - stamp_ns + rest.astype(np.int64))
