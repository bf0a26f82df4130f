"""Memory that the node takes, and gives back when it is cleaned up."""

import ctypes
import gc
import resource
import sys
import time
from pathlib import Path

MEBIBYTE = 2**20
TRIM_PERIOD_S = 20.0


def resident_mib() -> float:
    """Returns the resident memory of the process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MEBIBYTE


def gpu_mib() -> float:
    """Returns the GPU memory that tensors take in MiB; 0 where no GPU is used."""
    torch = sys.modules.get("torch")
    used = torch is not None and torch.cuda.is_initialized()
    return float(torch.cuda.memory_allocated()) / MEBIBYTE if torch is not None and used else 0.0


def free_memory() -> None:
    """Collects what is unreachable and returns it: to the GPU's other users, and from the C library to the system."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    _return_unused()


class Trimmer:
    """Returns to the system, now and then, what the C library keeps of memory that is free.

    Tensors are as large as there are voxels: other sizes every frame, in several threads. What is freed between them
    stays with the process, scattered, and adds up over hours.
    """

    def __init__(self) -> None:
        self._last_s = time.monotonic()

    def tick(self) -> None:
        """Does so where the last time was `TRIM_PERIOD_S` ago; takes some milliseconds."""
        if time.monotonic() - self._last_s > TRIM_PERIOD_S:
            _return_unused()
            self._last_s = time.monotonic()


def _return_unused() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
