"""Which key-frames of which drives are judged."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from distillnerf_core.data.drive import Drive
from distillnerf_core.errors import DataError

Choice = Literal["second", "all"]
CHOICES = {
    "second": "the second key-frame of each drive, as published",
    "all": "all key-frames of each drive",
}


@dataclass(frozen=True)
class Sample:
    """A key sweep of a drive."""

    drive: Drive
    sweep: int


def choose_samples(drives: Iterable[Drive], choice: Choice) -> list[Sample]:
    """Lists what is judged.

    Raises:
        DataError: If a drive has too few key-frames, or nothing is left.
    """
    samples = []
    for drive in drives:
        keys = drive.key_sweeps
        if choice == "second" and len(keys) < 2:
            raise DataError(f"{drive.name} has {len(keys)} key-frames and thus no second one; use --samples all")
        samples += [Sample(drive, sweep) for sweep in (keys[1:2] if choice == "second" else keys)]
    if not samples:
        raise DataError("no key-frame to evaluate: the data hold no drive with key-frames")
    return samples


def neighbour_sweep(drive: Drive, sweep: int, step: int) -> int | None:
    """Returns the key sweep that is some key-frames away, None beyond the ends.

    Raises:
        DataError: If the sweep is no key sweep.
    """
    if sweep not in drive.key_sweeps:
        raise DataError(f"{drive.name}: sweep {sweep} is no key-frame")
    index = drive.key_sweeps.index(sweep) + step
    return drive.key_sweeps[index] if 0 <= index < len(drive.key_sweeps) else None
