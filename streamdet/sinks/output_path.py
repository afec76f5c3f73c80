"""Checks of output paths, made before any file is opened or changed and before a model is loaded."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from streamdet.errors import SinkError, UsageError
from streamdet.sources import suffixes

# The disk is full, or the quota of the user or the limit of the process is reached.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class InputFiles:
    """The files that a run reads. No output may overwrite them, under any name.

    >>> Path("no such file") in InputFiles([])
    False
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        paths = list(paths)
        self._identities = {_identity(path) for path in paths} - {None}
        folders = {path.parent for path in paths if path.suffix.lower() in suffixes.IMAGES}
        self._image_folders = {_identity(folder) for folder in folders} - {None}

    def __contains__(self, path: Path) -> bool:
        return bool(self._identities) and _identity(path) in self._identities

    def contain_images_of(self, folder: Path) -> bool:
        """Returns whether some of the files are images in `folder`."""
        return bool(self._image_folders) and _identity(folder) in self._image_folders


def _identity(path: Path) -> tuple[int, int] | None:
    """Returns device and inode, which are equal for all names and links of a file; None if it does not exist."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def same_target(one: Path, other: Path) -> bool:
    """Returns whether two outputs are the same file or folder, which need not exist."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    identity = _identity(one)
    return identity is not None and identity == _identity(other)


def check_output_file(path: Path, *, overwrite: bool, inputs: InputFiles) -> None:
    """Checks that a file can be written.

    Raises:
        UsageError: the file is an input of the run.
        SinkError: the file cannot be written; the message says what to do.
    """
    if path in inputs:
        raise UsageError(f"{path} is the file being read; give the output another name")
    check_output_folder(path.parent, path)
    if os.path.isdir(path):  # returns False for impossible names, where Path.is_dir raises
        raise SinkError(f"{path} is a folder; give the name of a file in it")
    if os.path.exists(path):
        if not overwrite:
            raise SinkError(f"{path} exists already; give another name, or allow overwriting")
        if not os.access(path, os.W_OK):
            raise SinkError(f"{path} exists already and is not writable; give another name")


def check_output_folder(folder: Path, target: Path) -> None:
    """Checks that new files can be created in `folder`.

    Args:
        folder: the folder to check.
        target: the output that the user asked for, for the message.

    Raises:
        SinkError: the folder is missing, is not a folder, or is not writable.
    """
    if not os.path.exists(folder):
        raise SinkError(f"cannot write {target}: there is no folder {folder}; create it first")
    if not os.path.isdir(folder):
        raise SinkError(f"cannot write {target}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"cannot write {target}: the folder {folder} is not writable")


def write_error(path: Path, error: OSError) -> SinkError:
    """Returns a one-line error for a failed write. With every sink, what was written before stays usable."""
    reason = "the disk is full" if error.errno in _DISK_FULL else (error.strerror or type(error).__name__)
    usable = "; what was written before stays usable" if os.path.exists(path) else ""
    return SinkError(f"cannot write {path}: {reason}{usable}")
