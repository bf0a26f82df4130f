"""One thread that works on the newest item; older ones that nobody started on are dropped."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")


class NewestWinsWorker(Generic[ItemT]):
    """Runs a function in its own thread, always on the newest item.

    Args:
        work: Called with each item that is started on. Must not raise.
        name: Name of the thread.
        prepare: Called once in the thread before any work. Must not raise.
    """

    def __init__(self, work: Callable[[ItemT], None], name: str, prepare: Callable[[], None] | None = None) -> None:
        self._work = work
        self._prepare = prepare
        self._name = name
        self._changed = threading.Condition()
        self._item: ItemT | None = None
        self._stopping = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Items that a newer one replaced before the work on them began."""
        with self._changed:
            return self._dropped

    @property
    def stopping(self) -> bool:
        """Whether the thread shall end; long work looks here now and then."""
        with self._changed:
            return self._stopping

    def start(self) -> None:
        """Starts the thread."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def submit(self, item: ItemT) -> None:
        """Hands over an item; never waits for the work."""
        with self._changed:
            self._dropped += self._item is not None
            self._item = item
            self._changed.notify_all()

    def clear(self) -> None:
        """Forgets an item that has not been started on."""
        with self._changed:
            self._item = None

    def stop(self, timeout_s: float = 30.0) -> None:
        """Ends the thread after the item in work.

        Args:
            timeout_s: Longest wait for that item.
        """
        with self._changed:
            self._stopping = True
            self._item = None
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                logger.error("%s did not end within %.0f s", self._name, timeout_s)
        self._thread = None

    def _run(self) -> None:
        if self._prepare is not None:
            self._prepare()
        while (item := self._next()) is not None:
            self._work(item)

    def _next(self) -> ItemT | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._item is not None)
            item, self._item = self._item, None
            return None if self._stopping else item
