"""The fixed frame of a recording: from TF as the live node finds it, else from odometry messages."""

import numpy as np

from distillnerf_core.data.bag_index import BagIndex
from distillnerf_core.errors import DataError, TransformError
from distillnerf_core.streams.stream_config import MotionConfig
from distillnerf_core.streams.sweep_locator import find_fixed_frame


def fix_frame(index: BagIndex, motion: MotionConfig) -> MotionConfig:
    """Decides which frame is the world, and adds odometry to the transforms where TF alone has none.

    Args:
        index: What was recorded; its transforms may be added to.
        motion: The body frame, and the fixed frame where the user names one.

    Returns:
        The configuration with the fixed frame, and without static extrinsics as a way out.

    Raises:
        DataError: If neither is recorded; says what to record.
    """
    try:
        fixed = find_fixed_frame(index.transforms, motion)
        if not index.transforms.connected(fixed, motion.base_frame):
            raise TransformError(f"the fixed frame {fixed} is not connected to {motion.base_frame} in TF")
    except TransformError as err:
        if not index.odometry:
            raise DataError(
                f"{err}; training needs poses: record /tf with odom -> {motion.base_frame} or map -> "
                f"{motion.base_frame} and /tf_static, or nav_msgs/Odometry and /tf_static"
            ) from err
        fixed = _add_odometry(index, motion)
    return motion.model_copy(update={"fixed_frame": fixed, "motion_compensation": "on"})


def _add_odometry(index: BagIndex, motion: MotionConfig) -> str:
    """Hangs the body's tree on the frame of the topic with the most poses; returns that frame."""
    topic = max(sorted(index.odometry), key=lambda name: len(index.odometry[name]))
    poses, transforms, base = index.odometry[topic], index.transforms, motion.base_frame
    fixed, child = poses[0].parent, poses[0].child
    root = transforms.root(base)
    if motion.fixed_frame not in ("auto", fixed) or (child != root and not transforms.connected(child, root)):
        raise DataError(
            f"{topic} gives {fixed} -> {child}, which does not lead from the fixed frame ({motion.fixed_frame}) to "
            f"{base}; record /tf_static with {base} -> {child}, or set base_frame or fixed_frame"
        )
    child_from_root = transforms.lookup_latest(child, root) if child != root else np.eye(4)
    for item in poses:
        if (item.parent, item.child) != (fixed, child):
            index.note(f"{topic}: {item.parent} -> {item.child} among {fixed} -> {child} is left out")
            continue
        try:
            transforms.add(fixed, root, item.stamp_ns, item.matrix @ child_from_root)
        except TransformError as err:
            index.note(str(err))
    return fixed
