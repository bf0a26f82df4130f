"""Where each camera of a sweep was, seen from the body at the reference time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import TransformError
from distillnerf_core.streams.camera_set import CameraSet
from distillnerf_core.streams.stream_config import MotionConfig
from distillnerf_core.streams.transform_buffer import TransformBuffer

FloatArray = NDArray[np.float64]
FIXED_FRAMES = ("odom", "map", "world")
"""Names of frames that do not move (REP 105), the smoothest first."""


@dataclass(frozen=True)
class SweepPoses:
    """Extrinsics of one sweep.

    Attributes:
        base_from_camera: Body at the reference time from camera at its own [4 4], for each camera found.
        motion_compensated: False where a static extrinsic was used for any camera.
        problems: Why a camera was not found, by its name.
    """

    base_from_camera: Mapping[str, FloatArray]
    motion_compensated: bool
    problems: Mapping[str, str]


class SweepLocator:
    """Looks up the extrinsics of a sweep.

    Args:
        transforms: Buffer that somebody else fills.
        config: Frames and policy.
    """

    def __init__(self, transforms: TransformBuffer, config: MotionConfig) -> None:
        self._transforms = transforms
        self._config = config

    def locate(self, sweep: CameraSet, frames: Sequence[str], *, final: bool) -> SweepPoses:
        """Finds base at the sweep's time from each camera at its own stamp, through the fixed frame.

        Args:
            sweep: The images; cameras that are missing are placed at their latest pose where it is known.
            frames: Optical frame of each camera.
            final: No more transforms are waited for: lagging ones are extrapolated at constant velocity, and
                where that fails static extrinsics are used (motion compensation "auto").

        Raises:
            TransformError: Where a present camera cannot be located and `final` is False, or none can be.
        """
        if self._config.motion_compensation == "off":
            return self._static(sweep, frames, compensated=False)
        try:
            fixed = find_fixed_frame(self._transforms, self._config)
            poses = self._moving(sweep, frames, fixed, None)
        except TransformError:
            if not final:
                raise
            return self._final(sweep, frames)
        lost = [camera for camera in poses.problems if camera not in sweep.missing]
        if lost and not final:
            raise TransformError(poses.problems[lost[0]])
        return poses

    def _final(self, sweep: CameraSet, frames: Sequence[str]) -> SweepPoses:
        try:
            fixed = find_fixed_frame(self._transforms, self._config)
            return self._moving(sweep, frames, fixed, self._config.extrapolation_s)
        except TransformError:
            if self._config.motion_compensation == "on":
                raise
        return self._static(sweep, frames, compensated=False)

    def _moving(self, sweep: CameraSet, frames: Sequence[str], fixed: str, tolerance_s: float | None) -> SweepPoses:
        static = self._static(sweep, frames, compensated=True)
        poses = dict(static.base_from_camera)
        for camera, frame, stamp in zip(sweep.cameras, frames, sweep.stamps_ns, strict=True):
            if stamp and camera not in static.problems:
                poses[camera] = self._transforms.lookup(
                    self._config.base_frame, sweep.stamp_ns, frame, stamp, fixed, tolerance_s=tolerance_s
                )
        return SweepPoses(poses, True, static.problems)

    def _static(self, sweep: CameraSet, frames: Sequence[str], *, compensated: bool) -> SweepPoses:
        poses, problems = {}, {}
        for camera, frame in zip(sweep.cameras, frames, strict=True):
            try:
                poses[camera] = self._transforms.lookup_latest(self._config.base_frame, frame)
            except TransformError as err:
                problems[camera] = str(err)
        if not poses:
            raise TransformError(next(iter(problems.values())))
        return SweepPoses(poses, compensated, problems)


def find_fixed_frame(transforms: TransformBuffer, config: MotionConfig) -> str:
    """Returns the frame that does not move: the configured one, else the first of odom, map, world on the body's tree.

    Raises:
        TransformError: If there is none; names the body frame.
    """
    if config.fixed_frame != "auto":
        return config.fixed_frame
    for frame in FIXED_FRAMES:
        if transforms.connected(frame, config.base_frame):
            return frame
    raise TransformError(
        f"no fixed frame: none of {', '.join(FIXED_FRAMES)} is connected to {config.base_frame}; "
        "publish odometry on /tf or set the fixed frame"
    )
