"""A file that stops at its first failed write and stays as it was then."""

from __future__ import annotations

import os
from pathlib import Path


class RollbackFile:
    """What a muxer writes to instead of a path.

    When a recording ends, the MP4 muxer appends an index and then overwrites the file's first bytes so that the index
    counts. On a full disk the first fails, and a muxer that goes on regardless leaves a file that nothing can read.
    After the first failure this file takes nothing more, is cut back to where its owner last called it whole, and says
    it is closed: PyAV then leaves the end out. What lies on the disk is a sequence of whole fragments.

    Names never reach FFmpeg either, which would read "a:b.mp4" as an address.

    Attributes:
        path: where it is.
        error: the failure that ended it; None while all is well.
        name: what PyAV calls it in its messages.
        created: it was not there before.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
        self.path = path
        self.name = path.name
        self.error: OSError | None = None
        self._whole = 0
        self._begun = False
        self._descriptor: int | None
        self.created = True
        try:
            self._descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if not overwrite:
                raise
            self._descriptor = os.open(path, flags)
            self.created = False

    @property
    def closed(self) -> bool:
        """Whether it takes no more; PyAV looks here before it writes the end of a file."""
        return self._descriptor is None or self.error is not None

    def begin(self) -> None:
        """Empties what was there; the first write does it too, so that what fails before spares an older file."""
        if not self._begun:
            os.ftruncate(self._usable(), 0)
            self._begun = True

    def write(self, data: bytes) -> int:
        """Writes all of `data`.

        Raises:
            OSError: it did not fit; what did fit stays.
        """
        descriptor = self._usable()
        self.begin()
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            self.error = error
            os.ftruncate(descriptor, self._whole)
            raise
        return len(data)

    def keep(self) -> None:
        """Says that what has been written so far is whole: a failure later on leaves it."""
        if not self.closed:
            self._whole = self.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to `offset` and returns the new position."""
        return os.lseek(self._usable(), offset, whence)

    def tell(self) -> int:
        """Returns the position."""
        return os.lseek(self._usable(), 0, os.SEEK_CUR)

    def readable(self) -> bool:
        """It is only written."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Gives the file back. Idempotent.

        Raises:
            OSError: the last bytes did not reach the disk (network folders say so here).
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _usable(self) -> int:
        if self.error is not None:
            raise self.error
        if self._descriptor is None:
            raise ValueError("write to a closed file")
        return self._descriptor
