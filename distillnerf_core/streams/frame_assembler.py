"""Images, calibrations and poses of one sweep to a `MultiViewFrame`."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.errors import CalibrationError, DistillNerfError, ImageDecodeError, TransformError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.streams.camera_info import PinholeCalibration
from distillnerf_core.streams.camera_set import CameraSet
from distillnerf_core.streams.camera_view import CameraView
from distillnerf_core.streams.ego_masks import EgoMasks
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.pinhole_view import MAX_FOV_DEG
from distillnerf_core.streams.sweep_locator import SweepPoses

logger = logging.getLogger(__name__)

MOST_THREADS = 6
"""Most images that are decoded side by side."""


@dataclass(frozen=True)
class LocatedSweep:
    """A sweep with everything that is needed to build its frame, so that decoding can run elsewhere.

    Attributes:
        sweep: The images.
        poses: Extrinsics.
        calibrations: Of each camera, None where unknown.
        frames: Optical frame of each camera.
    """

    sweep: CameraSet
    poses: SweepPoses
    calibrations: tuple[PinholeCalibration | None, ...]
    frames: tuple[str, ...]


@dataclass(frozen=True)
class AssembledFrame:
    """A frame and what was left out of it.

    Attributes:
        frame: The frame at the network's image size.
        optical_frames: Optical frame of each camera, for the headers of outputs.
        problems: Why a camera that sent an image is masked, by its name.
    """

    frame: MultiViewFrame
    optical_frames: tuple[str, ...]
    problems: dict[str, str]


class FrameAssembler:
    """Decodes, rectifies and resizes the images of a sweep, several at a time.

    Args:
        height: Rows of the frame's images.
        width: Columns of the frame's images.
        min_cameras: Fewer usable images are an error.
        max_image_pixels: Larger images are refused.
        max_fov_deg: Largest field of view that a fisheye is rectified to.
        masks: Where cameras see the robot itself.
    """

    def __init__(
        self,
        height: int,
        width: int,
        min_cameras: int = 1,
        max_image_pixels: int = 64_000_000,
        max_fov_deg: float = MAX_FOV_DEG,
        masks: EgoMasks | None = None,
    ) -> None:
        self.height = height
        self.width = width
        self._min_cameras = min_cameras
        self._max_fov_deg = max_fov_deg
        self._masks = masks or EgoMasks("")
        self._decoder = ImageDecoder(max_image_pixels)
        # OpenCV decodes and resizes without holding up other threads of Python.
        self._threads = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), "distillnerf decoding")
        self._views: dict[str, tuple[PinholeCalibration, CameraView | CalibrationError]] = {}

    def assemble(self, located: LocatedSweep) -> AssembledFrame:
        """Builds the frame of a sweep; a camera whose image, calibration or pose is unusable is masked.

        Raises:
            DistillNerfError: Of the kind of the first problem, where fewer than `min_cameras` images remain.
        """
        sweep = located.sweep
        images = np.zeros((len(sweep.cameras), self.height, self.width, 3), dtype=np.uint8)
        mask = np.zeros(len(sweep.cameras), dtype=bool)
        problems: dict[str, DistillNerfError] = {}
        decoded = self._threads.map(partial(self._attempt, located), range(len(sweep.cameras)))
        for index, result in enumerate(decoded):
            if isinstance(result, DistillNerfError):
                problems[sweep.cameras[index]] = result
            elif result is not None:
                images[index], mask[index] = result, True
        if mask.sum() < self._min_cameras:
            raise self._too_few(int(mask.sum()), sweep, problems)
        return AssembledFrame(
            frame=MultiViewFrame(
                stamp_ns=sweep.stamp_ns,
                rig=self._rig(located),
                images=torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255.0),
                camera_mask=torch.from_numpy(mask),
                camera_stamps_ns=tuple(stamp if here else 0 for stamp, here in zip(sweep.stamps_ns, mask, strict=True)),
                motion_compensated=located.poses.motion_compensated,
                valid=self._valid(located),
            ),
            optical_frames=located.frames,
            problems={camera: str(err) for camera, err in problems.items()},
        )

    def _attempt(self, located: LocatedSweep, index: int) -> NDArray[np.uint8] | DistillNerfError | None:
        """Returns the image of a camera or why there is none; None where nothing was sent."""
        payload = located.sweep.payloads[index]
        if payload is None:
            return None
        try:
            return self._image(located.sweep.cameras[index], payload, located.calibrations[index], located.poses)
        except DistillNerfError as err:
            return err

    def _image(
        self, camera: str, message: Any, calibration: PinholeCalibration | None, poses: SweepPoses
    ) -> NDArray[np.uint8]:
        if calibration is None:
            raise CalibrationError(f"{camera}: no usable CameraInfo yet; check its camera_info topic")
        if camera in poses.problems:
            raise TransformError(poses.problems[camera])
        view = self._view(camera, calibration)
        if isinstance(view, CalibrationError):
            raise view
        return view.image(message, self._decoder)

    def _view(self, camera: str, calibration: PinholeCalibration) -> CameraView | CalibrationError:
        known = self._views.get(camera)
        if known is None or known[0] is not calibration:
            known = (calibration, self._create_view(camera, calibration))
            self._views[camera] = known
        return known[1]

    def _create_view(self, camera: str, calibration: PinholeCalibration) -> CameraView | CalibrationError:
        size = (self.height, self.width)
        try:
            return CameraView(camera, calibration, size, self._max_fov_deg, self._masks.body(camera))
        except CalibrationError as err:
            return err

    def _valid(self, located: LocatedSweep) -> Tensor | None:
        """Returns the pixels that count [cameras height width]; None where all do."""
        valid = np.ones((len(located.sweep.cameras), self.height, self.width), dtype=bool)
        for index, (camera, calibration) in enumerate(zip(located.sweep.cameras, located.calibrations, strict=True)):
            view = None if calibration is None else self._view(camera, calibration)
            if isinstance(view, CameraView) and view.valid is not None:
                valid[index] = view.valid
        return None if valid.all() else torch.from_numpy(valid)

    def _rig(self, located: LocatedSweep) -> CameraRig:
        count = len(located.sweep.cameras)
        intrinsics, poses = np.tile(np.eye(3), (count, 1, 1)), np.tile(np.eye(4), (count, 1, 1))
        for index, (camera, calibration) in enumerate(zip(located.sweep.cameras, located.calibrations, strict=True)):
            view = None if calibration is None else self._view(camera, calibration)
            if calibration is not None and isinstance(view, CameraView):
                intrinsics[index] = view.intrinsics
                poses[index, :3, :3] = calibration.camera_from_image
            poses[index] = located.poses.base_from_camera.get(camera, np.eye(4)) @ poses[index]
        return CameraRig(
            names=located.sweep.cameras,
            intrinsics=torch.from_numpy(intrinsics).float(),
            camera_to_ego=torch.from_numpy(poses).float(),
            height=self.height,
            width=self.width,
        )

    def _too_few(self, count: int, sweep: CameraSet, problems: dict[str, DistillNerfError]) -> DistillNerfError:
        kind: Callable[[str], DistillNerfError] = ImageDecodeError
        for error in problems.values():
            kind = type(error)
            break
        reasons = "; ".join(str(error) for error in problems.values())
        silent = f"; no image from {', '.join(sweep.missing)}" if sweep.missing else ""
        return kind(f"only {count} of {len(sweep.cameras)} cameras are usable: {reasons}{silent}")
