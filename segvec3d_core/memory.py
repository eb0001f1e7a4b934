"""Memory of this process."""

from __future__ import annotations

import os

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
LARGEST = 32 << 20
"""Larger arrays go back to the system as ever; the most that 64-bit glibc accepts as threshold."""
KEPT = 512 << 20
"""More free memory than this at the end of the heap goes back to the system."""


def keep_freed_memory() -> None:
    """Let this process keep the memory of freed arrays for the next ones.

    By default glibc returns it, and the system has to clear each page again when a cloud as large as the last one is
    segmented: a tenth of the time of a frame. The process then holds on to what its largest frame needed. For programs
    of their own; a library leaves this to its caller. Does nothing where the C library has no such choice, or where
    environment variables have made it.
    """
    import ctypes

    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    if os.name == "posix" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(MMAP_THRESHOLD, LARGEST)
        mallopt(TRIM_THRESHOLD, KEPT)
