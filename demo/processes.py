"""Child processes that end with the demo, whatever happens."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from demo.failure import DemoError

GRACE_S = 8.0
TAIL_LINES = 15


class Children:
    """Context manager over child processes; each writes to its own log file.

    Args:
        logs: Folder of the log files.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Children":
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._running):
            self.stop(name)

    def start(self, name: str, command: Sequence[str], shown: bool = False, **environment: str) -> None:
        """Starts a process in its own group.

        Args:
            name: Name of the process and of its log file.
            command: Program and arguments.
            shown: Show standard error, where progress bars are, on the screen instead of in the log.
            environment: Variables to set for it.
        """
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=None if shown else subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **environment},
            )

    def check(self, name: str) -> None:
        """Makes sure that a process still runs.

        Raises:
            DemoError: With the end of its log.
        """
        status = self._running[name].poll()
        if status is not None:
            raise DemoError(f"the {name} process ended with status {status}:\n{self.tail(name)}")

    def finished(self, name: str) -> bool:
        """Tells whether a process has ended well.

        Raises:
            DemoError: If it failed; with the end of its log.
        """
        status = self._running[name].poll()
        if status:
            raise DemoError(f"the {name} process failed with status {status}:\n{self.tail(name)}")
        return status == 0

    def wait(self, name: str, timeout_s: float) -> None:
        """Waits for a process to end well.

        Raises:
            DemoError: If it fails or takes too long; with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not self.finished(name):
            if time.monotonic() > deadline:
                raise DemoError(f"the {name} process did not end within {timeout_s:.0f} s:\n{self.tail(name)}")
            time.sleep(0.05)

    def stop(self, name: str) -> None:
        """Interrupts a process and its children, and kills them where that does not help."""
        process = self._running.pop(name)
        for sent in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is not None:
                return
            os.killpg(process.pid, sent)
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                continue

    def tail(self, name: str) -> str:
        """Returns the end of a process's log."""
        path = self._log(name)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(["  " + line for line in lines] + [f"  (whole log: {path})"])

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"
