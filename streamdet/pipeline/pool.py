"""Reuses the memory of pictures after the last reference to it is gone."""

from __future__ import annotations

import threading
import weakref

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace
from streamdet.picture import Picture, PixelFormat

_ALIGNMENT = 64  # bytes: FFmpeg aligns lines to this, for the widest vector instructions

Block = NDArray[np.uint8]


class PicturePool:
    """Allocates pictures as `Picture.allocate` does, in memory blocks that are reused.

    A new block costs a page fault for every 4 KB that is written for the first time: 1 ms for 1080p if freed blocks go
    back to the system (which keeps a process small). A block returns to the pool when the last reference to its memory
    is gone: the picture's, a sink's or the encoder's, in any thread.

    Args:
        max_blocks: number of free blocks that are kept; further ones go back to the system.
    """

    def __init__(self, max_blocks: int = 8) -> None:
        self._max_blocks = max_blocks
        self._size = 0
        self._free: list[Block] = []
        # Reentrant: a garbage collection may start at any step, also here, and return blocks.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, width: int, height: int, format: PixelFormat, color: ColorSpace) -> Picture:
        """Returns a picture with undefined content; see `Picture.allocate`."""
        if format is not PixelFormat.I420 or height % 2 or width % (2 * _ALIGNMENT):
            return Picture.allocate(width, height, format, color)  # its lines need padding
        size = width * height * 3 // 2
        block = self._take(size)
        start = -block.ctypes.data % _ALIGNMENT
        memory = block[start : start + size].reshape(height * 3 // 2, width)
        weakref.finalize(memory, self._give_back, block, size).atexit = False
        return Picture.in_memory(memory, color)

    def _take(self, size: int) -> Block:
        with self._lock:
            if size != self._size:
                self._size = size
                self._free.clear()
            if self._free:
                return self._free.pop()
        return np.empty(size + _ALIGNMENT, np.uint8)

    def _give_back(self, block: Block, size: int) -> None:
        with self._lock:
            if size == self._size and len(self._free) < self._max_blocks:
                self._free.append(block)
