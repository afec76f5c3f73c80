"""Memory of pictures that is used again once everybody has let go of it."""

from __future__ import annotations

import threading
import weakref

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace
from streamdet.picture import Picture, PixelFormat

_LINE = 64  # bytes: what FFmpeg aligns lines to for the widest vector instructions

Block = NDArray[np.uint8]


class PicturePool:
    """Gives pictures like `Picture.allocate`, out of blocks that come back.

    A fresh block costs a page fault for every 4 KB that is first written: 1 ms for 1080p, where freed blocks go back to
    the system (which keeps a process small). A block comes back when the last reference to its memory goes: the
    picture's, a sink's, or the encoder's own, in whatever thread.

    Args:
        most: blocks kept for later; more are given to the system.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._size = 0
        self._free: list[Block] = []
        # One that a thread may take twice: a garbage collection comes at any step, also here, and gives blocks back.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, width: int, height: int, format: PixelFormat, color: ColorSpace) -> Picture:
        """Returns a picture whose content is whatever was there; see `Picture.allocate`."""
        if format is not PixelFormat.I420 or height % 2 or width % (2 * _LINE):
            return Picture.allocate(width, height, format, color)  # its lines have to be padded
        size = width * height * 3 // 2
        block = self._take(size)
        start = -block.ctypes.data % _LINE
        memory = block[start : start + size].reshape(height * 3 // 2, width)
        weakref.finalize(memory, self._give_back, block, size).atexit = False
        return Picture.on_memory(memory, color)

    def _take(self, size: int) -> Block:
        with self._lock:
            if size != self._size:
                self._size = size
                self._free.clear()
            if self._free:
                return self._free.pop()
        return np.empty(size + _LINE, np.uint8)

    def _give_back(self, block: Block, size: int) -> None:
        with self._lock:
            if size == self._size and len(self._free) < self._most:
                self._free.append(block)
