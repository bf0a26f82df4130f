"""From single messages to located sweeps: what the live node and the bag reader share."""

import logging
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillnerf_core.errors import CalibrationError, TransformError
from distillnerf_core.streams.calibration_book import CalibrationBook, read_calibration_file
from distillnerf_core.streams.camera_set import AddOutcome, CameraSet
from distillnerf_core.streams.ego_masks import EgoMasks
from distillnerf_core.streams.frame_assembler import FrameAssembler, LocatedSweep
from distillnerf_core.streams.layouts import Layout, camera_frames
from distillnerf_core.streams.log_throttle import LogThrottle
from distillnerf_core.streams.message_fields import NANOSECONDS, short_frame_id, stamp_ns
from distillnerf_core.streams.phase_estimation import PhaseEstimator
from distillnerf_core.streams.stream_config import StreamConfig
from distillnerf_core.streams.sweep_locator import SweepLocator, SweepPoses
from distillnerf_core.streams.synchroniser import CameraSynchroniser, reference_camera
from distillnerf_core.streams.transform_buffer import TransformBuffer

logger = logging.getLogger(__name__)

_MAX_WAITING = 16
_PHASE_CHANGE_MS = 3.0


@dataclass(frozen=True)
class _Waiting:
    sweep: CameraSet
    deadline_ns: int


def check_inputs(config: StreamConfig) -> None:
    """Reads the files that a configuration names, to fail before a stream starts.

    Raises:
        ConfigurationError: If ego masks cannot be read.
        CalibrationError: If the calibration file cannot be read.
    """
    if config.calibration_file:
        read_calibration_file(Path(config.calibration_file))
    EgoMasks(config.ego_mask_dir, config.max_image_pixels)


class FrameStream:
    """Synchronises images and locates sweeps; single-threaded, driven by the caller's clock.

    Nothing is decoded here: `poll` hands out sweeps that a `FrameAssembler` turns into frames in any thread.

    Args:
        layout: Cameras and their topics; those that the configuration leaves out are dropped.
        config: Limits and policies.
        transforms: A buffer that somebody else fills; None: one of its own.

    Attributes:
        layout: The cameras that are used.
        synchroniser: With the counters of every camera.
        transforms: The transform buffer.
        dropped: Number of sweeps that were lost, by reason.
        last_problem: The newest reason in full.

    Raises:
        ConfigurationError: If the configuration names unknown cameras, or ego masks cannot be read.
        CalibrationError: If the calibration file cannot be read.
    """

    def __init__(self, layout: Layout, config: StreamConfig, transforms: TransformBuffer | None = None) -> None:
        layout = self.layout = layout.select(config.cameras)
        self.config = config
        self._synchroniser_config = layout.synchroniser_config(config.synchroniser)
        self.synchroniser = CameraSynchroniser(layout.names, self._synchroniser_config)
        self._phases = self._phase_estimator()
        self.transforms = TransformBuffer(config.transforms) if transforms is None else transforms
        rectified = layout.rectified_cameras(config.rectify)
        self.calibrations = CalibrationBook(rectified, undistort=config.rectify != "off")
        self._masks = EgoMasks(config.ego_mask_dir, config.max_image_pixels)
        self._masks.report_strangers(layout.names)
        self.dropped: Counter[str] = Counter()
        self.last_problem = ""
        self._jump_log = LogThrottle()
        self._locator = SweepLocator(self.transforms, config.motion)
        self._timeout_ns = round(config.motion.timeout_s * NANOSECONDS)
        # New transforms may be here before their images: by less than a jump, so that old ones are told apart.
        self._lead_ns = round(config.synchroniser.backward_jump_s * NANOSECONDS / 2)
        self._waiting: deque[_Waiting] = deque()
        self._frames = camera_frames(layout, config.camera_frames)
        if config.calibration_file:
            for name, calibration in read_calibration_file(Path(config.calibration_file)).items():
                self.calibrations.put(name, calibration)

    @property
    def calibrated(self) -> bool:
        """Whether the calibration of every camera is known."""
        return all(self.calibrations.calibration(name) is not None for name in self.layout.names)

    def assembler(self, height: int, width: int) -> FrameAssembler:
        """Creates the assembler for a network's image size, with this stream's limits."""
        minimum = min(self.config.synchroniser.min_cameras, len(self.layout.cameras))
        config = self.config
        return FrameAssembler(height, width, minimum, config.max_image_pixels, config.max_fov_deg, self._masks)

    def add_image(
        self, camera: str, message: Any, now_ns: int, receive_ns: int | None = None, taken_ns: int | None = None
    ) -> AddOutcome:
        """Takes an Image or CompressedImage of a camera; `poll` afterwards.

        Args:
            camera: Name of the camera.
            message: The image.
            now_ns: The clock that waiting is measured by.
            receive_ns: Time of arrival by the clock of the transforms, which is the stamp where `use_receive_time`
                is set; None: `now_ns`.
            taken_ns: Now by the clock that latencies are measured by; None: `now_ns`.
        """
        stamp = stamp_ns(message.header)
        if self._synchroniser_config.use_receive_time:
            stamp = now_ns if receive_ns is None else receive_ns
        self._learn_phases(camera, stamp)
        outcome = self.synchroniser.add(camera, stamp, now_ns, message, taken_ns)
        if outcome is AddOutcome.RESET:
            if self._jump_log.allows():
                logger.warning("time jumped back on camera %s: starting over", camera)
            self._waiting.clear()
            self.transforms.forget_ahead_of(stamp + self._lead_ns)
        elif outcome is AddOutcome.UNSTAMPED:
            self.last_problem = f"{camera}: image stamps are 0; set use_receive_time, or stamp the images"
        return outcome

    def add_camera_info(self, camera: str, message: Any) -> None:
        """Takes a CameraInfo of a camera.

        Raises:
            CalibrationError: Naming the topic; once for each bad content. The camera is masked until a good one.
        """
        topic = next(item.info_topic for item in self.layout.cameras if item.name == camera)
        try:
            self.calibrations.take(camera, message, topic or camera)
        except CalibrationError as err:
            self.last_problem = str(err)
            raise

    def add_transforms(self, message: Any, static: bool = False) -> None:
        """Takes a TFMessage.

        Raises:
            TransformError: Describing bad transforms; the good ones of the message were taken.
        """
        try:
            self.transforms.add_message(message, static)
        except TransformError as err:
            self.last_problem = str(err)
            raise

    def poll(self, now_ns: int) -> list[LocatedSweep]:
        """Returns the sweeps that are complete (or due) and located (or given up waiting for), oldest first."""
        return self._advance(self.synchroniser.poll(now_ns), now_ns, final=False)

    def flush(self, now_ns: int) -> list[LocatedSweep]:
        """Returns everything that waits, at the end of a recording."""
        return self._advance(self.synchroniser.flush(), now_ns, final=True)

    def _phase_estimator(self) -> PhaseEstimator | None:
        config = self._synchroniser_config
        if config.phases_ms and not config.auto_phase:
            return None
        return PhaseEstimator(self.layout.names, reference_camera(self.layout.names, config.reference))

    def _learn_phases(self, camera: str, stamp: int) -> None:
        phases = self._phases.add(camera, stamp) if self._phases is not None else None
        if phases is None:
            return
        known = self._synchroniser_config.phases_ms
        reference = reference_camera(self.layout.names, self._synchroniser_config.reference)
        known_zero = known.get(reference, 0.0)
        before = {name: known.get(name, 0.0) - known_zero for name in self.layout.names}
        if all(abs(before[name] - phase) < _PHASE_CHANGE_MS for name, phase in phases.items()):
            return
        phases = before | phases  # a silent camera keeps its place
        logger.info("camera phases from stamps, ms: %s", {name: round(phase, 1) for name, phase in phases.items()})
        self._synchroniser_config = self._synchroniser_config.model_copy(update={"phases_ms": phases})
        self.synchroniser.set_phases(phases)

    def _advance(self, sweeps: list[CameraSet], now_ns: int, *, final: bool) -> list[LocatedSweep]:
        self._waiting.extend(_Waiting(sweep, now_ns + self._timeout_ns) for sweep in sweeps)
        located = []
        while self._waiting:
            first = self._waiting[0]
            last_call = final or now_ns >= first.deadline_ns or len(self._waiting) > _MAX_WAITING
            try:
                located.append(self._locate(first.sweep, final=last_call))
            except TransformError as err:
                if not last_call:
                    break
                self.dropped["no transform"] += 1
                self.last_problem = str(err)
            self._waiting.popleft()
        return located

    def _locate(self, sweep: CameraSet, *, final: bool) -> LocatedSweep:
        frames = tuple(self._frame_of(camera, sweep) for camera in sweep.cameras)
        poses: SweepPoses = self._locator.locate(sweep, frames, final=final)
        calibrations = tuple(self.calibrations.calibration(camera) for camera in sweep.cameras)
        return LocatedSweep(sweep, poses, calibrations, frames)

    def _frame_of(self, camera: str, sweep: CameraSet) -> str:
        payload = sweep.payloads[sweep.cameras.index(camera)]
        header_frame = "" if payload is None else short_frame_id(payload.header)
        return self._frames[camera] or self.calibrations.frame(camera) or header_frame or camera
