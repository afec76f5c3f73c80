"""Partial downloads: the start of a file, kept next to its destination until the file is complete."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamdet.model_spec.origin import Origin

if sys.platform == "win32":
    import msvcrt

    _LOCK_OFFSET = 1 << 40  # other processes cannot read a locked byte: one beyond the end of any file

    def _lock(descriptor: int, wait: bool) -> bool:
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
        try:
            while True:
                with suppress(OSError):
                    msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                    return True
                if not wait:
                    return False
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)
else:
    import fcntl

    def _lock(descriptor: int, wait: bool) -> bool:
        """Takes the lock, which ends with the process. Without `wait`, returns False if another process has it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


def partial_path(path: Path, origin: Origin) -> Path:
    """Returns the path of the partial file. Its name holds the digest, so that another version does not resume it."""
    digest = next(iter(origin.digests.values()), "unknown")
    return path.with_name(f"{path.name}.{digest[:16]}.part")


@contextmanager
def locked_partial_download(path: Path, on_wait: Callable[[], None]) -> Iterator[PartialDownload]:
    """Opens or creates a partial file, with an exclusive lock between processes.

    Args:
        path: path of the partial file.
        on_wait: called once before waiting for another process.

    Raises:
        OSError: the file cannot be created or locked, or is no regular file.
    """
    part = PartialDownload(path)
    try:
        while not part.lock(on_wait):  # the process that had locked it has renamed or removed the file
            part.close()
            part = PartialDownload(path)
        yield part
    finally:
        part.close()


class PartialDownload:
    """A growing file; its content survives the process. See `locked_partial_download`.

    Attributes:
        path: path of the partial file.
        size: bytes received so far.
        source: the address that all of it came from; "" if there were several, or if it is unknown.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "r+b", buffering=0, opener=_opener)  # noqa: SIM115  # closed by `close`
        self._is_locked = False
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise FileExistsError(f"{path} is not a regular file")
        self.size = self._file.seek(0, os.SEEK_END)
        self.source = ""

    def lock(self, on_wait: Callable[[], None]) -> bool:
        """Waits for the lock. Returns False if the file was renamed or removed meanwhile."""
        descriptor = self._file.fileno()
        if not _lock(descriptor, wait=False):
            on_wait()
            _lock(descriptor, wait=True)
        try:
            self._is_locked = os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False
        self.size = self._file.seek(0, os.SEEK_END)
        return self._is_locked

    def append(self, data: bytes) -> None:
        """Appends data.

        Raises:
            OSError: for instance a full disk; `size` is what was written.
        """
        remaining = memoryview(data)
        while remaining:
            written = self._file.write(remaining)
            self.size += written
            remaining = remaining[written:]

    def restart(self, source: str = "") -> None:
        """Empties the file; later data come from `source`."""
        self._file.seek(0)
        self._file.truncate()
        self.size, self.source = 0, source

    def mismatch(self, origin: Origin) -> str:
        """Returns which digest of the file on disk differs, "" if none does."""
        for algorithm, expected in origin.digests.items():
            self._file.seek(0)
            actual = hashlib.file_digest(self._file, algorithm).hexdigest()  # leaves the position at the end
            if actual != expected:
                return f"SHA-{algorithm.removeprefix('sha')} is {actual}, expected {expected}"
        return ""

    def finish_as(self, path: Path) -> None:
        """Renames the file to `path` atomically, replacing an existing file; a power cut leaves the old or the new one.

        Raises:
            OSError: the file cannot be renamed.
        """
        os.fsync(self._file.fileno())
        if sys.platform == "win32":
            self._file.close()  # Windows cannot rename an open file
        os.replace(self.path, path)
        self._is_locked = False
        if sys.platform != "win32":
            _sync_folder(path.parent)

    def close(self) -> None:
        """Releases the lock; removes the file if it is empty. Idempotent."""
        if self._is_locked and self.size == 0:
            with suppress(OSError):
                self.path.unlink()
        self._is_locked = False
        self._file.close()


def _sync_folder(folder: Path) -> None:
    """Writes the new name to disk, as far as the system supports it."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
