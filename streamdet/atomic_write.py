"""Atomic writes: a file gets its name only when it is complete."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from streamdet.errors import SinkError


def write_files(files: Mapping[Path, bytes]) -> None:
    """Writes files that belong together, under temporary names first: none is ever incomplete or from an older set.

    Args:
        files: content by path. The first file refers to the others, so it is renamed last.

    Raises:
        SinkError: a file cannot be written; existing files are unchanged, and no temporary file is left.
    """
    written: list[tuple[Path, Path]] = []
    path = next(iter(files))
    try:
        for path, data in files.items():
            temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
            written.append((temporary, path))
            temporary.write_bytes(data)
        for temporary, path in reversed(written):
            os.replace(temporary, path)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror or type(error).__name__}") from None
    finally:
        for temporary, _ in written:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
