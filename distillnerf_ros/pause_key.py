"""The space bar of the terminal that a command runs in."""

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Any


class PauseKey:
    """Context manager that reads single keys while the process is in the foreground of a terminal.

    Elsewhere (pipes, background jobs, launch files) it does nothing. The terminal is restored at the end.

    Args:
        descriptor: File descriptor of the terminal; None: standard input.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = _standard_input() if descriptor is None else descriptor
        self._saved: list[Any] | None = None

    def __enter__(self) -> "PauseKey":
        if _is_ours(self._descriptor):
            self._saved = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saved is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._saved)

    @property
    def available(self) -> bool:
        """True where keys are read."""
        return self._saved is not None

    def pressed(self) -> bool:
        """Tells whether the space bar was pressed since the last call; never waits."""
        if not self.available or not select.select([self._descriptor], [], [], 0)[0]:
            return False
        return os.read(self._descriptor, 64).count(b" ") % 2 == 1


def _standard_input() -> int:
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return -1


def _is_ours(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
