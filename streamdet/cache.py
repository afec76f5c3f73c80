"""Private cache directories, which keep files between runs."""

import os
import stat
from pathlib import Path

import platformdirs


def private_dir(name: str) -> Path | None:
    """Returns the user's cache directory `name`, and creates it if it is missing; None if there is no safe one.

    Its content is executed or trusted later (compiled kernels, engines). So anyone who can write to it can run code as
    this user: it must belong to this user, and group and others must not be able to write to it.
    """
    try:
        path = Path(platformdirs.user_cache_dir("streamdet", appauthor=False)) / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except (OSError, RuntimeError):  # no home directory, a read-only disk
        return None
    if os.name == "posix" and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022):
        return None
    return path if os.access(path, os.W_OK) else None
