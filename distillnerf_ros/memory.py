"""Memory that a cleaned-up node gives back to the machine."""

import ctypes
import gc
import sys


def free_memory() -> None:
    """Collects what is unreachable and returns it: to the GPU's other users, and from the C library to the system."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
