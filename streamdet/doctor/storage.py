"""What is stored on disk: models and compiled kernels; and the free space."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from streamdet.doctor.check_result import CheckResult, Status, abbreviate_home

_MIN_FREE_BYTES = 500e6
"""Enough for the largest known model in three precisions, or for minutes of a recording."""

_NO_HOME_FIX = "set STREAMDET_MODELS and XDG_CACHE_HOME to your own folders, or set HOME"  # as with docker run --user
_COMPILED_AGAIN = "kernels are compiled at every start, which is slow"


def probe(_: str = "") -> Iterator[CheckResult]:
    """Checks the models, the kernel cache, and the disks."""
    from streamdet.errors import ModelError
    from streamdet.models.catalog import models_dir

    kept = {Path.cwd(): "recordings"}
    try:
        folder = models_dir()
    except ModelError:
        yield CheckResult(
            "models", Status.WARN, "no model can be stored: this user has no home directory", _NO_HOME_FIX
        )
    else:
        yield from _models(folder)
        kept[folder] = "models"
    yield _kernels()
    yield from _disk_space(kept)


def _models(folder: Path) -> Iterator[CheckResult]:
    from streamdet.errors import ModelError
    from streamdet.models.catalog import MODELS, model_file_name, read_catalog_model

    good = []
    for spec in MODELS:
        path = folder / model_file_name(spec)
        if not path.is_file():
            continue
        try:
            read_catalog_model(spec)
        except ModelError as error:
            fix = f"rm {abbreviate_home(path)} && streamdet models pull {spec.name}"
            yield CheckResult(f"model {spec.name}", Status.FAIL, abbreviate_home_in_text(str(error)), fix)
        else:
            good.append(f"{spec.name} ({path.stat().st_size / 1e6:.1f} MB)")
    if reason := write_error(folder):
        fix = "make it writable, or set STREAMDET_MODELS to another folder"
        yield CheckResult("models", Status.WARN, f"no model can be stored in {abbreviate_home(folder)} ({reason})", fix)
    elif good:
        yield CheckResult("models", Status.OK, f"{', '.join(good)}, complete, in {abbreviate_home(folder)}")
    else:
        yield CheckResult(
            "models",
            Status.ABSENT,
            f"none in {abbreviate_home(folder)} yet; streamdet models list shows which are available",
        )


def _kernels() -> CheckResult:
    from streamdet.cache import private_dir

    folder = private_dir("numba")
    if folder is not None:
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        return CheckResult("kernel cache", Status.OK, f"{abbreviate_home(folder)} ({size / 1e6:.1f} MB)")
    try:
        detail, fix = cache_folder_problem(Path(platformdirs.user_cache_dir("streamdet", appauthor=False)) / "numba")
    except RuntimeError:
        detail, fix = "this user has no home directory", _NO_HOME_FIX
    return CheckResult("kernel cache", Status.WARN, f"{detail}; {_COMPILED_AGAIN}", fix)


def cache_folder_problem(folder: Path) -> tuple[str, str]:
    """Returns why compiled code cannot be stored in a folder, and what to do about it."""
    if folder.is_dir() and os.name == "posix":
        status = folder.stat()
        if status.st_uid != os.getuid():
            return f"{abbreviate_home(folder)} belongs to another user", "set XDG_CACHE_HOME to your own folder"
        if stat.S_IMODE(status.st_mode) & 0o022:
            reason = f"other users can write to {abbreviate_home(folder)}, so code stored there is not run"
            return reason, f"chmod go-w {abbreviate_home(folder)}"
    return write_error(
        folder
    ) or f"{abbreviate_home(folder)} cannot be used", "make it writable, or set XDG_CACHE_HOME to another folder"


def write_error(folder: Path) -> str:
    """Returns why a folder, or its parent if it does not exist, cannot be written to; "" if it can."""
    there = _nearest_existing(folder)
    if not there.is_dir():
        return f"{abbreviate_home(there)} is not a folder"
    try:
        os.rmdir(tempfile.mkdtemp(dir=there))  # permissions are not reliable for root and on network disks
    except OSError as error:
        return f"{abbreviate_home(there)}: {error.strerror}"
    return ""


def _nearest_existing(folder: Path) -> Path:
    """Returns the folder, or the nearest parent that exists."""
    return next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path(os.sep))


def _disk_space(folders: Mapping[Path, str]) -> Iterator[CheckResult]:
    """Checks the free space of each disk once. The values name what is stored in each folder."""
    seen = set()
    for folder, what in folders.items():
        existing = _nearest_existing(folder)
        device = existing.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(existing).free
        detail = (
            f"{f'{free / 1e9:.1f} GB' if free >= 1e9 else f'{free / 1e6:.0f} MB'} free at {abbreviate_home(existing)}"
        )
        if free < _MIN_FREE_BYTES:
            yield CheckResult("disk", Status.WARN, f"{detail}: too little for {what}", "free some space")
        else:
            yield CheckResult("disk", Status.OK, detail)


def abbreviate_home_in_text(text: str) -> str:
    """Returns a message with the home folder written as ``~``."""
    try:
        home = str(Path.home())
    except RuntimeError:
        return text
    return text.replace(home + os.sep, "~" + os.sep) if home != os.sep else text
