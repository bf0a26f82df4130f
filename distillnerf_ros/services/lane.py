"""A thread that does jobs in their order, so that callbacks need not wait for them."""

import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Lane:
    """Runs jobs one after the other in a thread of its own.

    Args:
        name: Name of the thread.
        capacity: Most jobs that wait.
    """

    def __init__(self, name: str, capacity: int) -> None:
        self.capacity = capacity
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> bool:
        """Takes a job, which must not raise; returns False where too many wait already."""
        if self._jobs.qsize() >= self.capacity:
            return False
        self._jobs.put(job)
        return True

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends the thread after the jobs that wait.

        Args:
            timeout_s: Longest wait for them; the process may end without them.
        """
        self._jobs.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            logger.warning("%s is still at work after %.0f s and is left alone", self._thread.name, timeout_s)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
