"""Pieces that all messages share: headers, times and fast byte arrays."""

from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from std_msgs.msg import Header

NANOSECONDS = 1_000_000_000


def header(stamp_ns: int, frame_id: str) -> Header:
    """Returns a header; the stamp is in nanoseconds since the epoch of the sender's clock."""
    message = Header()
    message.stamp = Time(sec=stamp_ns // NANOSECONDS, nanosec=stamp_ns % NANOSECONDS)
    message.frame_id = frame_id
    return message


def stamp_to_ns(stamp: Time) -> int:
    """Returns a ROS time in nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def byte_array(values: NDArray[Any]) -> "array[int]":
    """Returns the bytes of an array as `array('B')`, the only type that rclpy assigns without a slow check.

    Assigning a 6 MB image takes 0.2 ms this way and 266 ms from an ndarray (ros2/rclpy#763).
    """
    data = array("B")
    data.frombytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return data
