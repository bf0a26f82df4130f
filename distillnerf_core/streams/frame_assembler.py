"""Images, calibrations and poses of one sweep to a `MultiViewFrame`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError, DistillNerfError, ImageDecodeError, TransformError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.streams.camera_info import PinholeCalibration
from distillnerf_core.streams.camera_set import CameraSet
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.rectification import Rectifier, scaled_matrix
from distillnerf_core.streams.sweep_locator import SweepPoses

logger = logging.getLogger(__name__)


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
    """Decodes, rectifies and resizes the images of a sweep.

    Args:
        height: Rows of the frame's images.
        width: Columns of the frame's images.
        min_cameras: Fewer usable images are an error.
        max_image_pixels: Larger images are refused.
    """

    def __init__(self, height: int, width: int, min_cameras: int = 1, max_image_pixels: int = 64_000_000) -> None:
        self.height = height
        self.width = width
        self._min_cameras = min_cameras
        self._decoder = ImageDecoder(max_image_pixels)
        self._rectifiers: dict[str, tuple[PinholeCalibration, Rectifier]] = {}

    def assemble(self, located: LocatedSweep) -> AssembledFrame:
        """Builds the frame of a sweep; a camera whose image, calibration or pose is unusable is masked.

        Raises:
            DistillNerfError: Of the kind of the first problem, where fewer than `min_cameras` images remain.
        """
        sweep = located.sweep
        images = np.zeros((len(sweep.cameras), self.height, self.width, 3), dtype=np.uint8)
        mask = np.zeros(len(sweep.cameras), dtype=bool)
        problems: dict[str, DistillNerfError] = {}
        for index, (camera, payload) in enumerate(zip(sweep.cameras, sweep.payloads, strict=True)):
            if payload is None:
                continue
            try:
                images[index] = self._image(camera, payload, located.calibrations[index], located.poses)
                mask[index] = True
            except DistillNerfError as err:
                problems[camera] = err
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
            ),
            optical_frames=located.frames,
            problems={camera: str(err) for camera, err in problems.items()},
        )

    def _image(
        self, camera: str, message: Any, calibration: PinholeCalibration | None, poses: SweepPoses
    ) -> NDArray[np.uint8]:
        if calibration is None:
            raise CalibrationError(f"{camera}: no usable CameraInfo yet; check its camera_info topic")
        if camera in poses.problems:
            raise TransformError(poses.problems[camera])
        size = self._decoder.size(message, camera)
        if size != (calibration.height, calibration.width):
            raise CalibrationError(
                f"{camera}: image of {size[1]}x{size[0]} pixels, but its CameraInfo is for "
                f"{calibration.width}x{calibration.height}; publish both at one size"
            )
        image = self._decoder.decode(message, (self.height, self.width), camera)
        return self._rectifier(camera, calibration).apply(image)

    def _rectifier(self, camera: str, calibration: PinholeCalibration) -> Rectifier:
        known = self._rectifiers.get(camera)
        if known is None or known[0] is not calibration:
            known = (calibration, Rectifier(calibration, self.height, self.width))
            self._rectifiers[camera] = known
        return known[1]

    def _rig(self, located: LocatedSweep) -> CameraRig:
        count = len(located.sweep.cameras)
        intrinsics, poses = np.tile(np.eye(3), (count, 1, 1)), np.tile(np.eye(4), (count, 1, 1))
        for index, (camera, calibration) in enumerate(zip(located.sweep.cameras, located.calibrations, strict=True)):
            if calibration is not None:
                intrinsics[index] = scaled_matrix(calibration, self.height, self.width)
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
