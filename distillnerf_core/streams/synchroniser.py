"""Groups images of several cameras into sweeps by phase-compensated stamps."""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from distillnerf_core.configuration import Config
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.streams.camera_set import AddOutcome, CameraCounters, CameraSet, SweepCounters
from distillnerf_core.streams.message_fields import NANOSECONDS

FRONT = "front"
_REMEMBERED_SETS = 32


class SynchroniserConfig(Config):
    """How images are grouped into sweeps."""

    phases_ms: dict[str, float] = Field(
        default_factory=dict,
        description="Firing time of each camera within a sweep, milliseconds; 0 if absent.",
    )
    auto_phase: bool = Field(
        default=False, description="Estimate the phases from the stamps; always so where none are known."
    )
    tolerance_s: float = Field(
        default=0.015, gt=0, le=1.0, description="Largest difference of phase-compensated stamps in a sweep."
    )
    grace_s: float = Field(
        default=0.10, ge=0, le=5.0, description="Wait for missing cameras after a sweep's first image."
    )
    min_cameras: int = Field(default=4, ge=1, le=32, description="Sweeps with fewer cameras are dropped.")
    use_receive_time: bool = Field(
        default=False, description="Take the time of arrival for the stamp, for publishers that leave stamps unset."
    )
    reference: str = Field(
        default=FRONT,
        description="Camera whose stamp is the time of the sweep; front: the layout's reference, else the camera "
        "whose name says front, else the first.",
    )
    backward_jump_s: float = Field(
        default=0.2, gt=0, le=60.0, description="A step back in time by more than this resets everything."
    )


@dataclass(frozen=True)
class _Image:
    stamp_ns: int
    taken_ns: int
    payload: Any
    error_ns: int = 0


@dataclass(eq=False)
class _Sweep:
    time_ns: int
    deadline_ns: int
    images: dict[str, _Image] = field(default_factory=dict)


class CameraSynchroniser:
    """Single-threaded synchroniser; the caller passes the clock in.

    The stamp of an image minus its camera's phase is nearly equal for all images of one sweep and at least a
    camera period apart for two sweeps, so sweeps never mix. A sweep leaves when it is full, after the grace
    time, or ahead of a newer one that leaves.

    Args:
        cameras: Camera names, in the order that sets have.
        config: Tolerances and phases.

    Raises:
        ConfigurationError: If the configuration names unknown cameras, or needs more than there are.
    """

    def __init__(self, cameras: Sequence[str], config: SynchroniserConfig) -> None:
        _check(cameras, config)
        self.cameras = tuple(cameras)
        self.counters = {name: CameraCounters() for name in cameras}
        self.sweeps = SweepCounters()
        self._config = config
        self._phases_ns = _phases_ns(cameras, config)
        self._reference = reference_camera(self.cameras, config.reference)
        self._tolerance_ns = round(config.tolerance_s * NANOSECONDS)
        self._jump_ns = round(config.backward_jump_s * NANOSECONDS)
        self._pending: list[_Sweep] = []
        self._ready: list[_Sweep] = []
        self._closed: deque[int] = deque(maxlen=_REMEMBERED_SETS)
        self._newest_emitted_ns: int | None = None

    def add(self, camera: str, stamp_ns: int, arrival_ns: int, payload: Any, taken_ns: int | None = None) -> AddOutcome:
        """Takes an image.

        Args:
            camera: One of the synchroniser's cameras.
            stamp_ns: Exposure time, or its best substitute.
            arrival_ns: The caller's clock now.
            payload: The image; not None.
            taken_ns: Now by the clock that latencies are measured by; None: `arrival_ns`.
        """
        counters = self.counters[camera]
        counters.received += 1
        if stamp_ns <= 0:
            counters.unstamped += 1
            return AddOutcome.UNSTAMPED
        jumped = self._jumped_back(counters, stamp_ns, arrival_ns)
        if jumped:
            self._reset()
        counters.last_stamp_ns = max(stamp_ns, counters.last_stamp_ns)
        counters.last_arrival_ns = arrival_ns
        image = _Image(stamp_ns, arrival_ns if taken_ns is None else taken_ns, payload)
        outcome = self._place(camera, image, arrival_ns + round(self._config.grace_s * NANOSECONDS))
        return AddOutcome.RESET if jumped else outcome

    def set_phases(self, phases_ms: Mapping[str, float]) -> None:
        """Takes other phases; counters stay, images that wait are grouped anew, closed sweeps stay closed.

        Args:
            phases_ms: Firing time of each camera within a sweep; 0 if absent.

        Raises:
            ConfigurationError: If an unknown camera is named.
        """
        config = self._config.model_copy(update={"phases_ms": dict(phases_ms)})
        _check(self.cameras, config)
        before_ns = self._phases_ns[self._reference]
        self._config, self._phases_ns = config, _phases_ns(self.cameras, config)
        self._shift(before_ns - self._phases_ns[self._reference])
        waiting, self._pending = self._pending, []
        for sweep in sorted(waiting, key=lambda item: item.deadline_ns):
            for camera, image in sweep.images.items():
                self._place(camera, image, sweep.deadline_ns)

    def poll(self, now_ns: int) -> list[CameraSet]:
        """Returns the due sweeps, oldest first; those below `min_cameras` are counted and dropped."""
        expired = [sweep for sweep in self._pending if sweep.deadline_ns <= now_ns]
        if expired:
            self._release(expired)
        ready, self._ready = self._ready, []
        for sweep in ready:
            if not self._is_large(sweep):
                self._drop(sweep)
        return [self._emit(sweep) for sweep in ready if self._is_large(sweep)]

    def flush(self) -> list[CameraSet]:
        """Returns everything that waits, at the end of a recording."""
        return self.poll(max((sweep.deadline_ns for sweep in self._pending), default=0))

    @property
    def next_deadline_ns(self) -> int | None:
        """Time by the caller's clock at which `poll` will have a sweep; None while none waits."""
        if self._ready:
            return 0
        return min((sweep.deadline_ns for sweep in self._pending), default=None)

    def _shift(self, shift_ns: int) -> None:
        """Moves the times of past sweeps so that the reference camera's stamps in them stay where they were."""
        self._closed = deque((time + shift_ns for time in self._closed), maxlen=_REMEMBERED_SETS)
        if self._newest_emitted_ns is not None:
            self._newest_emitted_ns += shift_ns
        for sweep in self._ready:
            sweep.time_ns += shift_ns

    def _place(self, camera: str, image: _Image, deadline_ns: int) -> AddOutcome:
        outcome = self._group(camera, image, deadline_ns)
        self.counters[camera].late += outcome is AddOutcome.LATE
        self.counters[camera].duplicate += outcome is AddOutcome.DUPLICATE
        return outcome

    def _group(self, camera: str, image: _Image, deadline_ns: int) -> AddOutcome:
        time = image.stamp_ns - self._phases_ns[camera]
        sweep = min(self._pending, key=lambda item: abs(item.time_ns - time), default=None)
        if sweep is None or abs(sweep.time_ns - time) > self._tolerance_ns:
            if self._is_late(time):
                return AddOutcome.LATE
            sweep = _Sweep(time, deadline_ns)
            self._pending.append(sweep)
        elif camera in sweep.images:
            return AddOutcome.DUPLICATE
        sweep.images[camera] = replace(image, error_ns=time - sweep.time_ns)
        if len(sweep.images) == len(self.cameras):
            self._release([sweep])
        elif len(self._pending) > _REMEMBERED_SETS:
            self._release([min(self._pending, key=lambda item: item.deadline_ns)])
        return AddOutcome.ACCEPTED

    def _is_late(self, time: int) -> bool:
        if self._newest_emitted_ns is not None and time <= self._newest_emitted_ns:
            return True
        return any(abs(time - closed) <= self._tolerance_ns for closed in self._closed)

    def _jumped_back(self, counters: CameraCounters, stamp: int, arrival_ns: int) -> bool:
        stamp_jump = stamp < counters.last_stamp_ns - self._jump_ns
        return stamp_jump or arrival_ns < counters.last_arrival_ns - self._jump_ns

    def _reset(self) -> None:
        self.sweeps.resets += 1
        self._pending.clear()
        self._ready.clear()
        self._closed.clear()
        self._newest_emitted_ns = None
        for counters in self.counters.values():
            counters.last_stamp_ns = counters.last_arrival_ns = 0

    def _release(self, finished: list[_Sweep]) -> None:
        newest = max((sweep.time_ns for sweep in finished if self._is_large(sweep)), default=0)
        due = [sweep for sweep in self._pending if sweep in finished or sweep.time_ns < newest]
        self._pending = [sweep for sweep in self._pending if sweep not in due]
        self._ready.extend(sorted(due, key=lambda sweep: sweep.time_ns))
        self._closed.extend(sweep.time_ns for sweep in due)
        if newest:
            self._newest_emitted_ns = newest

    def _is_large(self, sweep: _Sweep) -> bool:
        return len(sweep.images) >= self._config.min_cameras

    def _drop(self, sweep: _Sweep) -> None:
        self.sweeps.incomplete += 1
        self.sweeps.last_incomplete_missing = tuple(name for name in self.cameras if name not in sweep.images)

    def _emit(self, sweep: _Sweep) -> CameraSet:
        self.sweeps.emitted += 1
        self.sweeps.complete += len(sweep.images) == len(self.cameras)
        for name, counters in self.counters.items():
            counters.used += name in sweep.images
            counters.missing += name not in sweep.images
        reference = sweep.images.get(self._reference)
        expected = sweep.time_ns + self._phases_ns[self._reference]
        images = [sweep.images.get(name) for name in self.cameras]
        return CameraSet(
            cameras=self.cameras,
            stamp_ns=expected if reference is None else reference.stamp_ns,
            stamps_ns=tuple(0 if image is None else image.stamp_ns for image in images),
            payloads=tuple(None if image is None else image.payload for image in images),
            stamp_errors_ns=tuple(None if image is None else image.error_ns for image in images),
            taken_ns=max(image.taken_ns for image in sweep.images.values()),
        )


def reference_camera(cameras: Sequence[str], reference: str) -> str:
    """Finds the camera that a reference names: itself, or for "front" (and "") the front one, else the first."""
    if reference in cameras:
        return reference
    fronts = [name for name in cameras if re.search(r"front|forward", name, re.IGNORECASE)]
    straight = [name for name in fronts if not re.search(r"left|right", name, re.IGNORECASE)]
    return [*straight, *cameras][0]


def _phases_ns(cameras: Sequence[str], config: SynchroniserConfig) -> dict[str, int]:
    return {name: round(config.phases_ms.get(name, 0.0) * 1e6) for name in cameras}


def _check(cameras: Sequence[str], config: SynchroniserConfig) -> None:
    if len(set(cameras)) != len(cameras) or not cameras:
        raise ConfigurationError(f"cameras: expected distinct names, got {list(cameras)}")
    unknown = sorted(({config.reference} - {"", FRONT} | set(config.phases_ms)) - set(cameras))
    if unknown:
        raise ConfigurationError(f"sync: no camera named {unknown}; the cameras are {list(cameras)}")
    if config.min_cameras > len(cameras):
        raise ConfigurationError(
            f"sync.min_cameras is {config.min_cameras}, but there are only {len(cameras)} cameras; lower it"
        )
