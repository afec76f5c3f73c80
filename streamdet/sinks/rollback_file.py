"""A file that rolls back to its last commit at the first failed write, so that a full disk leaves it readable."""

from __future__ import annotations

import os
from pathlib import Path


class RollbackFile:
    """A file object for PyAV to write to, instead of a path.

    At the end of a recording the MP4 muxer appends an index and then overwrites the start of the file to refer to it.
    On a full disk appending fails, but the muxer overwrites the start anyway, and the file becomes unreadable. This
    file therefore accepts no more data after its first failed write. It is truncated to its last commit and reports
    that it is closed, so that PyAV does not write the end. The result is a sequence of complete fragments.

    It also keeps names away from FFmpeg, which would read "a:b.mp4" as an address.

    Attributes:
        path: path of the file.
        error: the error that ended writing; None before.
        name: name of the file in PyAV's messages.
        created: the file did not exist before.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
        self.path = path
        self.name = path.name
        self.error: OSError | None = None
        self._committed_size = 0
        self._emptied = False
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
        """Whether the file accepts no more data. PyAV checks it before it writes the end of a file."""
        return self._descriptor is None or self.error is not None

    def empty(self) -> None:
        """Removes the previous content; so does the first write. A failure before that leaves an older file intact."""
        if not self._emptied:
            os.ftruncate(self._open_descriptor(), 0)
            self._emptied = True

    def write(self, data: bytes) -> int:
        """Writes all of `data`.

        Raises:
            OSError: the write failed, and the file was rolled back to its last commit.
        """
        descriptor = self._open_descriptor()
        self.empty()
        remaining = memoryview(data)
        try:
            while remaining:
                remaining = remaining[os.write(descriptor, remaining) :]
        except OSError as error:
            self.error = error
            os.ftruncate(descriptor, self._committed_size)
            raise
        return len(data)

    def commit(self) -> None:
        """Marks the data so far as complete: a later failure keeps it."""
        if not self.closed:
            self._committed_size = self.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to `offset` and returns the new position."""
        return os.lseek(self._open_descriptor(), offset, whence)

    def tell(self) -> int:
        """Returns the current position."""
        return os.lseek(self._open_descriptor(), 0, os.SEEK_CUR)

    def readable(self) -> bool:
        """Returns False: the file is only written."""
        return False

    def writable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def close(self) -> None:
        """Closes the file. May be called twice.

        Raises:
            OSError: the last bytes did not reach the disk; network folders report it here.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open_descriptor(self) -> int:
        if self.error is not None:
            raise self.error
        if self._descriptor is None:
            raise ValueError("write to a closed file")
        return self._descriptor
