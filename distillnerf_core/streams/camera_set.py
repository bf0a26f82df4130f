"""A sweep of all cameras, and the figures that the synchroniser keeps about them."""

import enum
from dataclasses import dataclass
from typing import Any


class AddOutcome(enum.Enum):
    """What became of an image."""

    ACCEPTED = "accepted"
    LATE = "late"
    DUPLICATE = "duplicate"
    UNSTAMPED = "unstamped"
    RESET = "accepted after a backward time jump"


@dataclass(frozen=True)
class CameraSet:
    """Images of one sweep, in the order of the synchroniser's cameras.

    Attributes:
        cameras: Camera names.
        stamp_ns: Reference time of the sweep.
        stamps_ns: Stamp of each image, 0 where missing.
        payloads: What was given to `add` for each camera, None where missing.
        stamp_errors_ns: Phase-compensated stamp of each image minus the sweep's time, None where missing.
        taken_ns: When the last image of the set was taken, by the clock of `add`'s `taken_ns`.
    """

    cameras: tuple[str, ...]
    stamp_ns: int
    stamps_ns: tuple[int, ...]
    payloads: tuple[Any, ...]
    stamp_errors_ns: tuple[int | None, ...]
    taken_ns: int

    @property
    def present(self) -> tuple[bool, ...]:
        """True for each camera whose image is in the set."""
        return tuple(payload is not None for payload in self.payloads)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the cameras without an image."""
        return tuple(name for name, here in zip(self.cameras, self.present, strict=True) if not here)


@dataclass
class CameraCounters:
    """Running figures of one camera for diagnostics.

    Attributes:
        received: Images given to `add`.
        used: Images that left in an emitted sweep.
        missing: Emitted sweeps without this camera.
        late: Images that came after their sweep had left.
        duplicate: Second images for one sweep.
        unstamped: Images with a stamp of zero.
        last_stamp_ns: Stamp of the newest image.
        last_arrival_ns: Arrival of the newest image.
    """

    received: int = 0
    used: int = 0
    missing: int = 0
    late: int = 0
    duplicate: int = 0
    unstamped: int = 0
    last_stamp_ns: int = 0
    last_arrival_ns: int = 0


@dataclass
class SweepCounters:
    """Running figures of the whole synchroniser.

    Attributes:
        emitted: Sweeps handed out.
        complete: Those with every camera.
        incomplete: Sweeps dropped for having fewer than `min_cameras` images.
        resets: Backward time jumps.
        last_incomplete_missing: Cameras that were missing in the newest dropped sweep.
    """

    emitted: int = 0
    complete: int = 0
    incomplete: int = 0
    resets: int = 0
    last_incomplete_missing: tuple[str, ...] = ()
