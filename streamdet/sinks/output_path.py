"""Checks of where an output is to go, made before anything is opened, loaded or truncated."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from streamdet.errors import SinkError, UsageError
from streamdet.sources import suffixes

# No room on the disk, in the user's quota, or under the process's limit.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class InputFiles:
    """The files a run reads: no output may overwrite them, whatever name leads to them.

    >>> Path("no such file") in InputFiles([])
    False
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        paths = list(paths)
        self._identities = {_identity(path) for path in paths} - {None}
        pictures = {path.parent for path in paths if path.suffix.lower() in suffixes.IMAGES}
        self._picture_folders = {_identity(folder) for folder in pictures} - {None}

    def __contains__(self, path: Path) -> bool:
        return bool(self._identities) and _identity(path) in self._identities

    def have_image_in(self, folder: Path) -> bool:
        """Returns whether some of them are pictures in that folder."""
        return bool(self._picture_folders) and _identity(folder) in self._picture_folders


def _identity(path: Path) -> tuple[int, int] | None:
    """Returns what is the same for every name of a file, through symbolic and hard links too; None for no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def same_target(one: Path, other: Path) -> bool:
    """Returns whether two outputs would be one file or folder, there already or not."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    identity = _identity(one)
    return identity is not None and identity == _identity(other)


def check_output_file(path: Path, *, overwrite: bool, inputs: InputFiles) -> None:
    """Checks that a file may be written.

    Raises:
        UsageError: it is the file that is being read.
        SinkError: it may not be written there; the message says what to do.
    """
    if path in inputs:
        raise UsageError(f"{path} is the file being read; give the output another name")
    check_output_folder(path.parent, path)
    if os.path.isdir(path):  # unlike Path's, these are false for names that cannot be
        raise SinkError(f"{path} is a folder; give the name of a file in it")
    if os.path.exists(path):
        if not overwrite:
            raise SinkError(f"{path} is there already; give another name, or allow overwriting")
        if not os.access(path, os.W_OK):
            raise SinkError(f"{path} is there already and may not be written; give another name")


def check_output_folder(folder: Path, wanted: Path) -> None:
    """Checks that `folder` takes new files; `wanted` is what the user asked for.

    Raises:
        SinkError: it is missing, no folder, or may not be written.
    """
    if not os.path.exists(folder):
        raise SinkError(f"cannot write {wanted}: there is no folder {folder}; create it first")
    if not os.path.isdir(folder):
        raise SinkError(f"cannot write {wanted}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"cannot write {wanted}: the folder {folder} may not be written to")


def write_error(path: Path, error: OSError) -> SinkError:
    """Returns the one-line error for a write that failed; what was written before is usable with every sink."""
    reason = "the disk is full" if error.errno in _FULL else (error.strerror or type(error).__name__)
    kept = "; what was written before stays usable" if os.path.exists(path) else ""
    return SinkError(f"cannot write {path}: {reason}{kept}")
