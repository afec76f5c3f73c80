"""What is kept on disk: models, compiled kernels, and the room that is left."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from streamdet.doctor.findings import Check, Status, homely

_LEAST_BYTES = 500e6
"""Room for the largest known model in three precisions, or for minutes of a recording."""

_NO_HOME_FIX = "set STREAMDET_MODELS and XDG_CACHE_HOME to folders of your own, or HOME"  # as with docker run --user
_COMPILED_AGAIN = "kernels are compiled at every start, which takes a while"


def look(_: str = "") -> Iterator[Check]:
    """Looks at the models, the kernel cache, and the disks."""
    from streamdet.errors import ModelError
    from streamdet.models.zoo import models_dir

    kept = {Path.cwd(): "recordings"}
    try:
        folder = models_dir()
    except ModelError:
        yield Check("models", Status.WARN, "no model can be kept: this user has no home directory", _NO_HOME_FIX)
    else:
        yield from _models(folder)
        kept[folder] = "models"
    yield _kernels()
    yield from _room(kept)


def _models(folder: Path) -> Iterator[Check]:
    from streamdet.errors import ModelError
    from streamdet.models.zoo import MODELS, file_name, locate

    good = []
    for spec in MODELS:
        path = folder / file_name(spec)
        if not path.is_file():
            continue
        try:
            locate(spec)
        except ModelError as error:
            fix = f"rm {homely(path)} && streamdet models pull {spec.name}"
            yield Check(f"model {spec.name}", Status.FAIL, homely_text(str(error)), fix)
        else:
            good.append(f"{spec.name} ({path.stat().st_size / 1e6:.1f} MB)")
    if reason := why_not_writable(folder):
        fix = "make it writable, or name another folder in STREAMDET_MODELS"
        yield Check("models", Status.WARN, f"no model can be kept in {homely(folder)} ({reason})", fix)
    elif good:
        yield Check("models", Status.OK, f"{', '.join(good)}, whole, in {homely(folder)}")
    else:
        yield Check("models", Status.ABSENT, f"none in {homely(folder)} yet; streamdet models list names them")


def _kernels() -> Check:
    from streamdet.cache import private_dir

    folder = private_dir("numba")
    if folder is not None:
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        return Check("kernel cache", Status.OK, f"{homely(folder)} ({size / 1e6:.1f} MB)")
    try:
        detail, fix = why_not_private(Path(platformdirs.user_cache_dir("streamdet", appauthor=False)) / "numba")
    except RuntimeError:
        detail, fix = "this user has no home directory", _NO_HOME_FIX
    return Check("kernel cache", Status.WARN, f"{detail}; {_COMPILED_AGAIN}", fix)


def why_not_private(folder: Path) -> tuple[str, str]:
    """Returns why a folder cannot keep compiled code, and what to do about it."""
    if folder.is_dir() and os.name == "posix":
        status = folder.stat()
        if status.st_uid != os.getuid():
            return f"{homely(folder)} belongs to another user", "name a folder of your own in XDG_CACHE_HOME"
        if stat.S_IMODE(status.st_mode) & 0o022:
            reason = f"others may write to {homely(folder)}, so code from there is not run"
            return reason, f"chmod go-w {homely(folder)}"
    return why_not_writable(
        folder
    ) or f"{homely(folder)} cannot be used", "make it writable, or name another folder in XDG_CACHE_HOME"


def why_not_writable(folder: Path) -> str:
    """Returns why nothing can be written to a folder, or to where it would be made; "" where it can."""
    there = _nearest(folder)
    if not there.is_dir():
        return f"{homely(there)} is not a folder"
    try:
        os.rmdir(tempfile.mkdtemp(dir=there))  # tried, since neither root nor network disks tell the truth before
    except OSError as error:
        return f"{homely(there)}: {error.strerror}"
    return ""


def _nearest(folder: Path) -> Path:
    """Returns the folder itself, or the first of those above it that is there."""
    return next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path(os.sep))


def _room(folders: Mapping[Path, str]) -> Iterator[Check]:
    """Looks at the disk of each folder, once; the text says what is kept there."""
    seen = set()
    for folder, what in folders.items():
        there = _nearest(folder)
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        detail = f"{f'{free / 1e9:.1f} GB' if free >= 1e9 else f'{free / 1e6:.0f} MB'} free at {homely(there)}"
        if free < _LEAST_BYTES:
            yield Check("disk", Status.WARN, f"{detail}: too little for {what}", "make room")
        else:
            yield Check("disk", Status.OK, detail)


def homely_text(text: str) -> str:
    """Returns a message with the home folder in it as ``~``."""
    try:
        home = str(Path.home())
    except RuntimeError:
        return text
    return text.replace(home + os.sep, "~" + os.sep) if home != os.sep else text
