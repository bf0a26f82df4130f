"""Poses as matrices and back."""

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from numpy.typing import NDArray

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.transforms import quaternion_from_matrix, rigid_from_quaternion

_UNIT_TOLERANCE = 0.01


def pose_matrix(pose: Pose) -> NDArray[np.float64]:
    """Returns `frame_from_body` [4 4], metres.

    Raises:
        QueryError: If a number is not finite or the quaternion no unit one.
    """
    position = np.array([pose.position.x, pose.position.y, pose.position.z])
    turn = pose.orientation
    quaternion = np.array([turn.x, turn.y, turn.z, turn.w])
    if not (np.isfinite(position).all() and np.isfinite(quaternion).all()):
        raise QueryError("pose: expected finite numbers")
    length = float(np.linalg.norm(quaternion))
    if abs(length - 1.0) > _UNIT_TOLERANCE:
        raise QueryError(f"pose: expected an orientation of length 1, got {length:.4g}")
    return rigid_from_quaternion(position, quaternion)


def moved_pose(target_from_source: NDArray[np.float64], pose: Pose) -> Pose:
    """Returns a pose of one frame in another.

    Args:
        target_from_source: Rigid transform [4 4], metres.
        pose: Pose in the source frame.
    """
    moved = target_from_source @ pose_matrix(pose)
    x, y, z = (float(value) for value in moved[:3, 3])
    turn = (float(value) for value in quaternion_from_matrix(moved[:3, :3]))
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(**dict(zip("xyzw", turn, strict=True))))
