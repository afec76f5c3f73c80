"""Checks of where an output is to go, made before anything is opened, loaded or truncated."""

import errno
import os
from pathlib import Path

from streamdet.errors import SinkError, UsageError

# No room on the disk, in the user's quota, or under the process's limit.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def same_file(one: Path, other: Path) -> bool:
    """Returns whether two paths lead to one file that exists, through symbolic and hard links too."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def check_file(path: Path, *, overwrite: bool, source_path: Path | None) -> None:
    """Checks that a file may be written.

    Raises:
        UsageError: it is the file that is being read.
        SinkError: it may not be written there; the message says what to do.
    """
    if source_path is not None and same_file(path, source_path):
        raise UsageError(f"{path} is the file being read; give the output another name")
    check_folder(path.parent, path)
    if path.is_dir():
        raise SinkError(f"{path} is a folder; give the name of a file in it")
    if path.exists():
        if not overwrite:
            raise SinkError(f"{path} is there already; give another name, or allow overwriting")
        if not os.access(path, os.W_OK):
            raise SinkError(f"{path} is there already and may not be written; give another name")


def check_folder(folder: Path, wanted: Path) -> None:
    """Checks that `folder` takes new files; `wanted` is what the user asked for.

    Raises:
        SinkError: it is missing, no folder, or may not be written.
    """
    if not folder.exists():
        raise SinkError(f"cannot write {wanted}: there is no folder {folder}; create it first")
    if not folder.is_dir():
        raise SinkError(f"cannot write {wanted}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"cannot write {wanted}: the folder {folder} may not be written to")


def failure(path: Path, error: OSError) -> SinkError:
    """Returns the one-line error for a write that failed; what was written before is usable with every sink."""
    reason = "the disk is full" if error.errno in _FULL else (error.strerror or type(error).__name__)
    kept = "; what was written before stays usable" if path.exists() else ""
    return SinkError(f"cannot write {path}: {reason}{kept}")
