"""Denormal numbers, which tiny transmittances and their gradients turn into, slow a CPU many times over."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Treats denormal numbers as zero within the block; the processor's setting is the thread's, so it is put back."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
