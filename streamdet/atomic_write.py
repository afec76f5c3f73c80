"""Files of models get their names when they are whole."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from streamdet.errors import SinkError


def write_files(files: Mapping[Path, bytes]) -> None:
    """Writes all files under other names first, so that none ever is half of one, nor of an older pair.

    Args:
        files: content by name; the first one names the others, and gets its name last.

    Raises:
        SinkError: one cannot be written; what was there before is as it was, and nothing new is left.
    """
    waiting: list[tuple[Path, Path]] = []
    path = next(iter(files))
    try:
        for path, data in files.items():
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            waiting.append((part, path))
            part.write_bytes(data)
        for part, path in reversed(waiting):
            os.replace(part, path)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror or type(error).__name__}") from None
    finally:
        for part, _ in waiting:
            with suppress(OSError):
                part.unlink(missing_ok=True)
