"""The loop around optimiser steps: it shows progress, and saves as it goes."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from tqdm import tqdm

Terms = dict[str, float]
Observer = Callable[[Terms], Mapping[str, float] | None]


@runtime_checkable
class ResumableRun(Protocol):
    """What is trained step by step.

    Attributes:
        step: Steps done.
    """

    step: int

    def train_step(self) -> Terms:
        """Makes one step, counts it, and returns the loss terms."""

    def save(self) -> None:
        """Writes everything from which a killed run goes on."""


def advance(
    run: ResumableRun, steps: int, description: str, checkpoint_minutes: float, observe: Observer, progress: bool = True
) -> None:
    """Trains up to a number of steps, saving as it goes; Ctrl-C saves and stops.

    Args:
        run: What is trained.
        steps: Steps that are done in the end, those before a resumption included.
        description: Before the progress bar.
        checkpoint_minutes: A killed run loses at most this.
        observe: Is told the loss terms of each step, and returns what the bar shows of them; None: what it showed.
        progress: Show a bar.
    """
    bar = tqdm(total=steps, initial=run.step, desc=description, disable=not progress, unit="step")
    saved = time.monotonic()
    try:
        while run.step < steps:
            shown = observe(run.train_step())
            bar.update()
            if shown is not None:
                bar.set_postfix({name: f"{value:.4g}" for name, value in shown.items()})
            if time.monotonic() - saved > 60.0 * checkpoint_minutes:
                run.save()
                saved = time.monotonic()
    finally:
        bar.close()
        run.save()


class LearningCurve:
    """Loss terms of some steps, in a JSON file.

    Args:
        path: The file.

    Attributes:
        rows: Step and loss terms, in order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[Terms] = []

    def read(self, step: int) -> None:
        """Takes over what the file has up to a step."""
        if self._path.exists():
            self.rows = [row for row in json.loads(self._path.read_text()) if row["step"] <= step]

    def add(self, step: int, terms: Terms) -> None:
        """Adds a row, of five significant digits."""
        self.rows.append({"step": float(step), **{name: float(f"{value:.5g}") for name, value in terms.items()}})

    def mean(self, name: str, rows: int = 10) -> float:
        """Returns the mean of a term over the last rows that have it."""
        return mean_term(self.rows[-rows:], name)

    def write(self) -> None:
        """Writes the file."""
        self._path.write_text(json.dumps(self.rows))


def mean_term(rows: list[Terms], name: str) -> float:
    """Returns the mean of a term over the rows that have it; 0 where none has it."""
    values = [row[name] for row in rows if name in row]
    return sum(values) / max(1, len(values))
