"""Memory that the node takes, and gives back when it is cleaned up."""

import ctypes
import gc
import resource
import sys
from pathlib import Path

MEBIBYTE = 2**20


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
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
