"""How far a network is with a frame, for those who wait for it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

Item = TypeVar("Item")


@dataclass(frozen=True)
class Progress:
    """Where the work on a frame stands.

    Attributes:
        stage: What is being done.
        done: Steps of the stage that are done; steps need not take equally long.
        total: All its steps.
    """

    stage: str
    done: int = 0
    total: int = 1

    def __str__(self) -> str:
        """Names the stage and, where its steps are counted, the share that is done."""
        return self.stage if self.total == 1 else f"{self.stage}, {100 * self.done / self.total:.0f} %"


ProgressListener = Callable[[Progress], None]
"""Told at the beginning of every step, in the thread that does the work; should be quick."""


def announce(stage: str, listener: ProgressListener | None) -> None:
    """Tells a listener, if there is one, that a stage begins whose steps are not counted."""
    if listener is not None:
        listener(Progress(stage))


def counted(items: Sequence[Item], stage: str, listener: ProgressListener | None) -> Iterator[Item]:
    """Yields the items of a stage one by one, each a step."""
    for number, item in enumerate(items):
        if listener is not None:
            listener(Progress(stage, number, len(items)))
        yield item


@dataclass(frozen=True)
class WatchedStage:
    """A stage whose steps are the calls of modules.

    Attributes:
        stage: Its name.
        modules: What is called.
        calls: How often each of them is.
    """

    stage: str
    modules: Sequence[nn.Module]
    calls: int = 1


@contextmanager
def watched(stages: Sequence[WatchedStage], listener: ProgressListener | None) -> Iterator[None]:
    """Tells a listener of the calls of modules within the block, through hooks that are taken off at its end.

    The modules need not know of it. They must not be called from two threads meanwhile.
    """
    with ExitStack() as hooks:
        if listener is not None:
            for stage in stages:
                step = _Step(stage, listener)
                for module in stage.modules:
                    hooks.callback(module.register_forward_pre_hook(step.begin).remove)
        yield


class _Step:
    """Counts the calls of one stage."""

    def __init__(self, stage: WatchedStage, listener: ProgressListener) -> None:
        self._stage, self._listener = stage, listener
        self._begun, self._total = 0, stage.calls * len(stage.modules)

    def begin(self, _module: nn.Module, _inputs: object) -> None:
        """Reports a call that begins."""
        self._listener(Progress(self._stage.stage, self._begun, self._total))
        self._begun += 1


class PatientListener:
    """Passes progress on where the work takes long: not before `patience_s`, and once in `period_s` from then on.

    Args:
        tell: Called with the progress and the seconds since the listener was made.
        patience_s: Seconds before the first call.
        period_s: Seconds between two calls at least.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        tell: Callable[[Progress, float], None],
        patience_s: float,
        period_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._period_s, self._clock = tell, period_s, clock
        self._started_s, self._next_s = clock(), patience_s

    def __call__(self, progress: Progress) -> None:
        """Takes a report."""
        elapsed_s = self._clock() - self._started_s
        if elapsed_s >= self._next_s:
            self._next_s = elapsed_s + self._period_s
            self._tell(progress, elapsed_s)
