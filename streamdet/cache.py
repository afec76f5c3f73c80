"""Private directories for what is kept between runs."""

import os
import stat
from pathlib import Path

import platformdirs


def private_dir(name: str) -> Path | None:
    """Returns this user's own cache directory `name`, made where it is missing, or None where there is no safe one.

    What lies there is run or trusted later (compiled kernels, engines), so a directory that somebody else can write to
    would let them run code here: it must belong to this user and be closed to group and others.
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
