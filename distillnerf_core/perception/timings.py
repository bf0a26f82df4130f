"""Durations of the pipeline's stages."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class StageTimings:
    """How long each stage took.

    Attributes:
        stages_ms: Name and milliseconds of each stage, in order.
    """

    stages_ms: tuple[tuple[str, float], ...]

    @property
    def total_ms(self) -> float:
        """Sum of all stages."""
        return sum(duration for _, duration in self.stages_ms)

    def as_dict(self) -> dict[str, float]:
        """Returns milliseconds by stage, and the total."""
        return {**dict(self.stages_ms), "total": self.total_ms}


class Stopwatch:
    """Measures stages one after the other; on a GPU it waits for the work to finish.

    Args:
        device: Where the measured work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stages: list[tuple[str, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures the block as a stage."""
        start = time.perf_counter()
        yield
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self._stages.append((name, 1e3 * (time.perf_counter() - start)))

    def timings(self) -> StageTimings:
        """Returns what was measured so far."""
        return StageTimings(tuple(self._stages))
