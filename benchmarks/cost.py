"""Time and memory that a call takes."""

import ctypes
import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil

Result = TypeVar("Result")

SAMPLING_S = 0.001
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Cost:
    """What a call takes.

    Attributes:
        milliseconds: Wall time.
        mebibytes: Rise of the resident memory at its highest; what the call returns counts.
        process_mebibytes: Resident memory of the whole process at its highest.
    """

    milliseconds: float
    mebibytes: float
    process_mebibytes: float


def measure(call: Callable[[], Result]) -> tuple[Result, Cost]:
    """Returns what a call returns, and its cost; memory is looked at every millisecond."""
    gc.collect()
    _return_free_memory()
    process, stopped = psutil.Process(), threading.Event()
    before: int = process.memory_info().rss
    seen = [before]

    def watch() -> None:
        while not stopped.wait(SAMPLING_S):
            seen[0] = max(seen[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        result = call()
    finally:
        seconds = time.perf_counter() - started
        stopped.set()
        watcher.join()
    peak = max(seen[0], process.memory_info().rss)
    return result, Cost(1e3 * seconds, (peak - before) / MEBIBYTE, peak / MEBIBYTE)


def _return_free_memory() -> None:
    """Makes glibc give back what it keeps of freed memory, which a later call would use without a visible rise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
