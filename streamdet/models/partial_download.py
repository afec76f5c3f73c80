"""The beginning of a file that is being downloaded, kept beside the place where the whole file will be."""

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

    _FAR = 1 << 40  # a locked byte cannot be read by others: one that no file here has

    def _lock(descriptor: int, wait: bool) -> bool:
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _FAR, os.SEEK_SET)
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
        """Takes the lock, which ends with its holder, however that ends. False where it is held and not waited for."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


def partial_path(path: Path, origin: Origin) -> Path:
    """Returns where the beginning of a file is kept. The name says of what: another version does not go on with it."""
    digest = next(iter(origin.digests.values()), "unknown")
    return path.with_name(f"{path.name}.{digest[:16]}.part")


@contextmanager
def locked_partial_download(path: Path, on_wait: Callable[[], None]) -> Iterator[PartialDownload]:
    """Opens a part, or makes it, as the only process that does.

    Args:
        path: of the part.
        on_wait: called once where another process holds it, before waiting for that to end.

    Raises:
        OSError: it cannot be made or locked here, or something else has its name.
    """
    part = PartialDownload(path)
    try:
        while not part.lock(on_wait):  # the one that held it has given the file its final name, or removed it
            part.close()
            part = PartialDownload(path)
        yield part
    finally:
        part.close()


class PartialDownload:
    """A file that grows; what was written stays when the process ends. See `locked_partial_download`.

    Attributes:
        path: of the part.
        size: how many bytes of the file are here.
        source: the address that all of it came from; "" where there are several, or where that is not known any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "r+b", buffering=0, opener=_opener)  # noqa: SIM115  # closed by `close`
        self._held = False
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise FileExistsError(f"{path} is no ordinary file")
        self.size = self._file.seek(0, os.SEEK_END)
        self.source = ""

    def lock(self, on_wait: Callable[[], None]) -> bool:
        """Waits until no other process holds the part. False where the part it holds then is no longer this one."""
        descriptor = self._file.fileno()
        if not _lock(descriptor, wait=False):
            on_wait()
            _lock(descriptor, wait=True)
        try:
            self._held = os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False
        self.size = self._file.seek(0, os.SEEK_END)
        return self._held

    def append(self, data: bytes) -> None:
        """Writes to the end.

        Raises:
            OSError: the disk is full, for one; `size` is what was written.
        """
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)
            self.size += written
            rest = rest[written:]

    def restart(self, source: str = "") -> None:
        """Drops all of it; from now on it comes from `source`."""
        self._file.seek(0)
        self._file.truncate()
        self.size, self.source = 0, source

    def mismatch(self, origin: Origin) -> str:
        """Returns how what is on the disk differs from what it should be, "" where it does not."""
        for algorithm, expected in origin.digests.items():
            self._file.seek(0)
            found = hashlib.file_digest(self._file, algorithm).hexdigest()  # leaves the position at the end
            if found != expected:
                return f"SHA-{algorithm.removeprefix('sha')} is {found}, expected {expected}"
        return ""

    def finish_as(self, path: Path) -> None:
        """Gives the part its final name in one step, replacing what has that name; a power cut leaves old or new.

        Raises:
            OSError: that cannot be.
        """
        os.fsync(self._file.fileno())
        if sys.platform == "win32":
            self._file.close()  # an open file cannot be renamed there
        os.replace(self.path, path)
        self._held = False
        if sys.platform != "win32":
            _sync_folder(path.parent)

    def close(self) -> None:
        """Lets others have it; nothing is left behind where nothing came. Idempotent."""
        if self._held and self.size == 0:
            with suppress(OSError):
                self.path.unlink()
        self._held = False
        self._file.close()


def _sync_folder(folder: Path) -> None:
    """Brings the new name to the disk; where that is not possible, the name is there all the same."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
