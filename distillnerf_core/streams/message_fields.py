"""Access to duck-typed ROS messages: live rclpy messages and those read from bags look alike here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NANOSECONDS = 1_000_000_000
MAX_NAME_LENGTH = 256
"""Longest name of a frame; longer ones are cut or refused."""


def stamp_ns(header: Any) -> int:
    """Returns the stamp of a `std_msgs/Header` as integer nanoseconds."""
    return int(header.stamp.sec) * NANOSECONDS + int(header.stamp.nanosec)


def short_frame_id(header: Any) -> str:
    """Returns the frame of a `std_msgs/Header`, cut at the length that frame names may have."""
    return str(header.frame_id)[:MAX_NAME_LENGTH]


def split_stamp(stamp: int) -> tuple[int, int]:
    """Splits integer nanoseconds into the (sec, nanosec) of `builtin_interfaces/Time`."""
    return divmod(stamp, NANOSECONDS)


def byte_view(data: Any) -> NDArray[np.uint8]:
    """Views a `uint8[]` field as a flat array, without a copy where the field has a buffer.

    Args:
        data: bytes, bytearray, `array.array('B')`, NumPy uint8 array, or a plain list of numbers.
    """
    if isinstance(data, np.ndarray):
        return np.ascontiguousarray(data, dtype=np.uint8).reshape(-1)
    if isinstance(data, (list, tuple)):
        return np.array(data, dtype=np.uint8)
    return np.frombuffer(data, dtype=np.uint8)


def float_array(values: Any) -> NDArray[np.float64]:
    """Copies a `float64[]` field to a flat float64 array."""
    return np.array(values, dtype=np.float64).reshape(-1)
