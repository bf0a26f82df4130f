"""An active node's work: messages in, one inference thread, results out."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from distillnerf_core.errors import CalibrationError, DistillNerfError, TransformError
from distillnerf_core.model.progress import PatientListener, Progress
from distillnerf_core.perception.kept import KeptQueries
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.streams.camera_set import AddOutcome
from distillnerf_core.streams.frame_assembler import LocatedSweep
from distillnerf_core.streams.frame_stream import FrameStream
from distillnerf_core.streams.layouts import Layout
from distillnerf_ros.config import NodeConfig
from distillnerf_ros.conversions.status import frame_status
from distillnerf_ros.frame_memory import FrameMemory, PerceivedFrame
from distillnerf_ros.health import HealthBoard
from distillnerf_ros.inference_worker import NewestWinsWorker
from distillnerf_ros.kept_answers import KeptAnswers
from distillnerf_ros.memory import Trimmer
from distillnerf_ros.publishers import ResultPublishers
from distillnerf_ros.qos import deaf_listeners
from distillnerf_ros.query_publishers import QueryPublishers
from distillnerf_ros.subscriptions import InputSubscriptions

logger = logging.getLogger(__name__)

REMEMBERED_LATENCIES = 200
STATIC_POSES = (
    "motion between the exposures of a sweep is not compensated, static poses are used: no transform to a fixed frame "
    "(tf.fixed_frame; odom, map or world) at the times of the images"
)
LOG_PERIODS_S = (10.0, 10.0)
"""After how long an inference begins to say how far it is, and how often it does so."""


@dataclass(frozen=True)
class Job:
    """A sweep for the inference thread.

    Attributes:
        located: The sweep.
        stamp_errors_ms: By how much each image missed its place in the sweep, NaN where there is none.
        arrival_ns: Monotonic time of the arrival of the sweep's last image.
        generation: Number of time jumps before it.
    """

    located: LocatedSweep
    stamp_errors_ms: tuple[float, ...]
    arrival_ns: int
    generation: int


class _Ended(Exception):  # noqa: N818 - ending is no error
    """The inference is not wanted any more."""


class PerceptionSession:
    """Everything between subscriptions and publishers while the node is active.

    Messages are taken in the executor's thread, which alone touches the stream; decoding, inference and
    publishing happen in one other thread.

    Attributes:
        stream: What makes sweeps of messages.
        frames: What was perceived.
        queries: Topics of answers to texts.
        processed: Number of frames perceived.
        latencies_ms: Newest latencies, from the last image's arrival to published messages.
        arrivals_ns: Monotonic time of each camera's newest image.

    Args:
        node: Node that owns topics and timers.
        layout: Cameras and their topics.
        config: The node's configuration.
        pipeline: Perception.
        board: Where problems are reported.
        kept: Queries that are answered on every frame.
    """

    def __init__(
        self,
        node: Node,
        layout: Layout,
        config: NodeConfig,
        pipeline: PerceptionPipeline,
        board: HealthBoard,
        kept: KeptQueries,
    ) -> None:
        self.stream = FrameStream(layout, config.stream_config())
        layout = self.stream.layout
        self.processed = 0
        self.latencies_ms: deque[float] = deque(maxlen=REMEMBERED_LATENCIES)
        self.arrivals_ns: dict[str, int] = {}
        self._node = node
        self._pipeline = pipeline
        self._board = board
        self._assembler = self.stream.assembler(*pipeline.input_size)
        self._base_frame = config.tf.base_frame
        self._min_period_ns = round(1e9 / config.model.max_rate_hz) if config.model.max_rate_hz else 0
        self._last_submitted_ns = 0
        self._transforms_lock = threading.Lock()
        self._extrapolation_s = config.tf.extrapolation_s
        self._motion_off = config.tf.motion_compensation == "off"
        self.frames = FrameMemory(config.cache.frames)
        self._publishers = ResultPublishers(node, layout.names, config, self.transform, board)
        self.queries = QueryPublishers(node, self.stream.layout.names)
        self._kept = KeptAnswers(kept, pipeline, self.queries, self.base_from, self._base_frame, board)
        self._trimmer = Trimmer()
        self._worker = NewestWinsWorker(
            self._work, "distillnerf inference", self._warm_up if config.model.warmup else None
        )
        self._inputs = InputSubscriptions(node, layout, config.input.image_transport, config.input.reliability, self)
        # Last: nothing can fail after it, so that no thread is left behind.
        self._worker.start()

    @property
    def latest(self) -> PerceivedFrame | None:
        """The newest perceived frame, None before the first and after a time jump."""
        return self.frames.newest

    @property
    def dropped(self) -> int:
        """Sweeps that were complete and are not perceived: replaced by newer ones, or unusable."""
        return self._worker.dropped + self.stream.dropped.total()

    def reconfigure(self, config: NodeConfig) -> None:
        """Takes other settings of outputs, from the next frame on."""
        self._publishers.reconfigure(config)

    def deaf_listeners(self) -> Iterator[str]:
        """Says which subscribers of the node's topics hear nothing, and why."""
        return deaf_listeners(self._node)

    def close(self) -> None:
        """Ends subscriptions, thread and topics."""
        self._inputs.destroy()
        self._worker.stop()
        self._publishers.destroy()
        self.queries.destroy()

    def base_from(self, frame_id: str, stamp_ns: int) -> NDArray[np.float64]:
        """Returns `base_from_frame` [4 4] at a time; any thread may ask.

        Raises:
            TransformError: Naming the frames, and the gap in time where that is the trouble.
        """
        return self.transform(self._base_frame, frame_id, stamp_ns)

    def transform(self, target: str, source: str, stamp_ns: int) -> NDArray[np.float64]:
        """Returns `target_from_source` [4 4] at a time; any thread may ask.

        Raises:
            TransformError: Naming the frames, and the gap in time where that is the trouble.
        """
        tolerance_s, transforms = self._extrapolation_s, self.stream.transforms
        with self._transforms_lock:
            return transforms.lookup(target, stamp_ns, source, stamp_ns, self._base_frame, tolerance_s=tolerance_s)

    def take_image(self, camera: str, message: Any) -> None:
        """Takes an image; a step back in time forgets everything from before it.

        A complete sweep leaves at once where every camera's calibration is known, else with the next tick of a timer:
        the CameraInfo that came with the first images has been taken by then.
        """
        arrival_ns = self.arrivals_ns[camera] = time.monotonic_ns()
        receive_ns = self._node.get_clock().now().nanoseconds
        with self._transforms_lock:  # a step back in time forgets transforms
            outcome = self.stream.add_image(camera, message, self._now_ns(), receive_ns, arrival_ns)
        if outcome is AddOutcome.RESET:
            self._reset()
        elif outcome is AddOutcome.UNSTAMPED:
            self._board.error(f"camera {camera}", self.stream.last_problem)
        elif self.stream.calibrated:
            self.poll()

    def take_camera_info(self, camera: str, message: Any) -> None:
        """Takes a calibration; an unusable one is reported and masks the camera."""
        try:
            self.stream.add_camera_info(camera, message)
        except CalibrationError as err:
            self._board.error(f"calibration {camera}", str(err))
        else:
            if self.stream.calibrations.calibration(camera) is not None:
                self._board.ok(f"calibration {camera}")

    def take_transforms(self, message: Any, static: bool) -> None:
        """Takes transforms; bad ones are reported and left out."""
        try:
            with self._transforms_lock:
                self.stream.add_transforms(message, static)
        except TransformError as err:
            self._board.error("tf", str(err))
        else:
            self._board.ok("tf", values={"frames": len(self.stream.transforms.frames)})

    def report_image_topic(self, camera: str, problem: str) -> None:
        """Reports why nothing can arrive from a camera."""
        self._board.error(f"camera {camera}", problem)

    def poll(self) -> None:
        """Hands sweeps that are due to the inference thread."""
        lost = self.stream.dropped.total()
        for located in self.stream.poll(self._now_ns()):
            self._submit(located)
        if self.stream.dropped.total() > lost:
            self._board.error("tf", self.stream.last_problem)

    def _now_ns(self) -> int:
        """Returns the time that grace and timeouts are measured in: slowed with a slow recording."""
        clock = self._node.get_clock()
        return int(clock.now().nanoseconds) if clock.ros_time_is_active else time.monotonic_ns()

    def _submit(self, located: LocatedSweep) -> None:
        stamp_ns = located.sweep.stamp_ns
        if stamp_ns - self._last_submitted_ns < self._min_period_ns:
            return
        self._last_submitted_ns = stamp_ns
        errors = tuple(math.nan if error is None else error / 1e6 for error in located.sweep.stamp_errors_ns)
        self._worker.submit(Job(located, errors, located.sweep.taken_ns, self.frames.generation))

    def _reset(self) -> None:
        self.frames.forget()
        self._last_submitted_ns = 0
        self._worker.clear()
        self._board.warn("time", "time jumped back: everything from before is forgotten")

    def _warm_up(self) -> None:
        try:
            self._pipeline.warm_up()
        except Exception as err:  # the first frame will tell whether it was chance
            logger.exception("warming up failed")
            self._board.warn("model", f"warming up failed with {type(err).__name__}: {err}; the log has the trace")

    def _work(self, job: Job) -> None:
        try:
            self._perceive(job)
        except _Ended:
            return
        except DistillNerfError as err:
            self._board.error("frame", str(err))
        except Exception as err:  # the node outlives whatever a single frame runs into
            if not self._node.context.ok():
                return
            logger.exception("frame %d failed", job.located.sweep.stamp_ns)
            self._board.error("frame", f"unexpected {type(err).__name__}: {err}; the log has the trace")
        else:
            self._board.ok("frame")
        self._trimmer.tick()

    def _perceive(self, job: Job) -> None:
        start_ns = time.monotonic_ns()
        assembled = self._assembler.assemble(job.located)
        for camera, problem in assembled.problems.items():
            self._board.error(f"camera {camera}", problem)
        if not (assembled.frame.motion_compensated or self._motion_off):
            self._board.warn("tf", STATIC_POSES)
        decoded_ns = time.monotonic_ns()
        patient = PatientListener(partial(self._log_progress, assembled.frame.stamp_ns), *LOG_PERIODS_S)
        progress = partial(self._watch, patient, job.generation)
        wanted = self._publishers.wanted() | self._kept.wanted()
        result = self._pipeline.perceive(assembled.frame, wanted, progress)
        perceived_ns = time.monotonic_ns()
        perceived = PerceivedFrame(result, assembled, perceived_ns)
        if not self.frames.remember(perceived, job.generation):
            return
        self._publishers.publish(result, assembled)
        self._kept.publish(result, assembled)
        done_ns = time.monotonic_ns()
        self.processed += 1
        self.latencies_ms.append((done_ns - job.arrival_ns) / 1e6)
        stages = {
            "wait": (start_ns - job.arrival_ns) / 1e6,
            "decode": (decoded_ns - start_ns) / 1e6,
            **dict(result.timings.stages_ms),
            "publish": (done_ns - perceived_ns) / 1e6,
        }
        self._publishers.publish_status(frame_status(perceived, job.stamp_errors_ms, stages, self, self._base_frame))

    def _watch(self, patient: PatientListener, generation: int, progress: Progress) -> None:
        """Ends an inference of minutes where the node shall end, or time has jumped back."""
        if self._worker.stopping or generation != self.frames.generation:
            raise _Ended
        patient(progress)

    def _log_progress(self, stamp_ns: int, progress: Progress, elapsed_s: float) -> None:
        self._node.get_logger().info(f"frame {stamp_ns / 1e9:.3f}: {progress}, {elapsed_s:.0f} s")
