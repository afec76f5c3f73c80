"""How the C library of this process keeps memory, for a program that runs for weeks."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # glibc's malloc.h
_LARGE_BYTES = 512 << 10


def lower_mmap_threshold() -> bool:
    """Lets blocks of half a megabyte and more go back to the system when they are freed; returns whether that worked.

    By default glibc raises that limit to 32 MB as soon as a large block is freed. Pictures then lie in the heaps of the
    threads that made them, between small things that stay: four recorded 720p streams held 920 MB, half of it free. So
    they hold 500. A command may decide that for its process, a library may not.
    """
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
    except (AttributeError, OSError):  # another C library
        return False
