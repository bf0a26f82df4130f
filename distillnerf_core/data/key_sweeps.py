"""Which sweeps of a drive without key frames of its own are evaluated and labelled."""

from collections.abc import Sequence

from distillnerf_core.streams.message_fields import NANOSECONDS

KEY_RATE_HZ = 2.0
"""Key frames each second in nuScenes."""
_EARLY = 0.05


def evenly_spaced(stamps_ns: Sequence[int], rate_hz: float = KEY_RATE_HZ) -> tuple[int, ...]:
    """Returns the positions of sweeps about one period apart, beginning with the first.

    Args:
        stamps_ns: Time of each sweep, ascending.
        rate_hz: Sweeps to choose each second; a sweep may come a twentieth of the period early.
    """
    least_ns = round((1.0 - _EARLY) * NANOSECONDS / rate_hz)
    chosen: list[int] = []
    for index, stamp in enumerate(stamps_ns):
        if not chosen or stamp - stamps_ns[chosen[-1]] >= least_ns:
            chosen.append(index)
    return tuple(chosen)
