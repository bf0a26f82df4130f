"""A transform between two frames at a time, and its reading from `tf2_msgs/TFMessage` and `nav_msgs/Odometry`."""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import TransformError
from distillnerf_core.geometry.transforms import rigid_from_quaternion
from distillnerf_core.streams.message_fields import MAX_NAME_LENGTH, stamp_ns

FloatArray = NDArray[np.float64]
_UNIT_TOLERANCE = 0.01
MAX_DISTANCE_M = 1e9
"""Longest translation; geographic frames in metres are far below."""


@dataclass(frozen=True)
class StampedTransform:
    """Pose of a child frame in its parent.

    Attributes:
        parent: Name of the parent frame, without leading slash.
        child: Name of the child frame, without leading slash.
        stamp_ns: Time of validity.
        matrix: 4x4 `parent_from_child`, metres.
    """

    parent: str
    child: str
    stamp_ns: int
    matrix: FloatArray


def transform_from_message(message: Any) -> StampedTransform:
    """Reads one `geometry_msgs/TransformStamped`.

    Raises:
        TransformError: Naming the frames, where a name or number cannot be, or the quaternion is no unit one.
    """
    parent, child = frame_name(message.header.frame_id), frame_name(message.child_frame_id)
    if not (0 < len(parent) <= MAX_NAME_LENGTH and 0 < len(child) <= MAX_NAME_LENGTH):
        raise TransformError(
            f"transform {parent[:40]} -> {child[:40]}: a frame name is empty or longer than {MAX_NAME_LENGTH} "
            "characters; check the node that publishes it"
        )
    moved, turned = message.transform.translation, message.transform.rotation
    translation = np.array([moved.x, moved.y, moved.z], dtype=np.float64)
    quaternion = np.array([turned.x, turned.y, turned.z, turned.w], dtype=np.float64)
    if not (np.isfinite(translation).all() and np.isfinite(quaternion).all()):
        raise TransformError(f"transform {parent} -> {child}: not a finite number; check the node that publishes it")
    if np.abs(translation).max() > MAX_DISTANCE_M:
        raise TransformError(
            f"transform {parent} -> {child}: a translation above {MAX_DISTANCE_M:g} m; check the node that publishes it"
        )
    norm = math.hypot(*quaternion)
    if abs(norm - 1.0) > _UNIT_TOLERANCE:
        raise TransformError(
            f"transform {parent} -> {child}: quaternion of length {norm:.4g} instead of 1; "
            "check the node that publishes it"
        )
    return StampedTransform(parent, child, stamp_ns(message.header), rigid_from_quaternion(translation, quaternion))


def transform_from_odometry(message: Any) -> StampedTransform:
    """Reads the pose of a `nav_msgs/Odometry` as the transform from header.frame_id to child_frame_id.

    Raises:
        TransformError: As for `transform_from_message`.
    """
    pose = message.pose.pose
    moved = SimpleNamespace(translation=pose.position, rotation=pose.orientation)
    return transform_from_message(
        SimpleNamespace(header=message.header, child_frame_id=message.child_frame_id, transform=moved)
    )


def frame_name(name: str) -> str:
    """Returns a frame name as tf2 compares it: without the leading slash of old publishers."""
    return str(name).lstrip("/")
