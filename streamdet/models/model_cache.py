"""The files of known models on this machine: found, checked, and got where they are missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from streamdet.errors import ModelError
from streamdet.model_spec.origin import Origin
from streamdet.models.download_help import download_help
from streamdet.models.download_listener import DownloadListener
from streamdet.models.onnx_file import ModelFile, parse_onnx, read_model
from streamdet.models.partial_download import partial_path

Downloader = Callable[[Origin, Path], object]
"""Puts a model's file where it is missing, or raises ModelError."""


def refuse_download(origin: Origin, path: Path) -> None:
    """Gets nothing, and says how a person does.

    Raises:
        ModelError: always.
    """
    pull_it = f"streamdet models pull {origin.argument} downloads it, or " if origin.urls and origin.digests else ""
    raise ModelError(f"{origin.name} is not on this machine: {pull_it}{download_help(origin, path)}")


def downloader(listener: DownloadListener) -> Downloader:
    """Returns what downloads missing models and tells `listener`."""
    return lambda origin, path: pull_model(origin, path, listener)


def read_cached_model(origin: Origin, path: Path, download: Downloader = refuse_download) -> ModelFile:
    """Reads and checks a model's file, after getting it where it is missing.

    Raises:
        ModelError: it is not there, or is not the file it should be.
    """
    if not path.is_file():
        download(origin, path)
    file = read_model(path)
    verify_file(origin, file)
    return file


def verify_file(origin: Origin, file: ModelFile) -> None:
    """Checks a file against the size and digests that are known.

    Raises:
        ModelError: it differs.
    """
    again = f"delete it, or replace it with: streamdet models pull --force {origin.argument}"
    size = len(file.data)
    if origin.size_bytes and size != origin.size_bytes:
        raise ModelError(f"{file.name} has {size} bytes, {origin.name} has {origin.size_bytes}: {again}")
    for algorithm, expected in origin.digests.items():
        found = hashlib.new(algorithm, file.data).hexdigest()
        if found != expected:
            raise ModelError(
                f"{file.name} is not {origin.name}: its {algorithm} is {found}, expected {expected}: {again}"
            )


def pull_model(origin: Origin, path: Path, listener: DownloadListener | None = None, *, replace: bool = False) -> bool:
    """Makes sure that a model's file is at `path`, is the right one, and is a model that may be loaded.

    Args:
        origin: what it should be, and where it can be had.
        path: ends in .onnx: descriptions come from anywhere, and should not write other files than models.
        listener: is told how a download goes.
        replace: download it in any case, and replace what is there.

    Returns:
        Whether it was downloaded.

    Raises:
        ModelError: it is not, and the message says what to do.
    """
    from streamdet.models.download import download_file

    if path.suffix.casefold() != ".onnx":
        raise ModelError(f"{path} does not end in .onnx: only such files are downloaded")
    missing = replace or not path.exists()
    if missing:
        download_file(origin, path, listener, replace=replace)
    file = read_model(path)
    verify_file(origin, file)
    parse_onnx(*file)
    return missing


class FileState(Enum):
    """What is here of a model's file, by a look at its size; `verify_file` reads it."""

    PRESENT = "here"
    MISSING = "not downloaded"
    PARTIAL = "begun"
    WRONG_SIZE = "damaged"


class FileStatus(NamedTuple):
    """The state of a file, and how many bytes are here."""

    state: FileState
    size: int


def file_status(origin: Origin, path: Path) -> FileStatus:
    """Looks what is here of a model's file."""
    if path.is_file():
        size = path.stat().st_size
        return FileStatus(
            FileState.PRESENT if size == origin.size_bytes or not origin.size_bytes else FileState.WRONG_SIZE, size
        )
    part = partial_path(path, origin)
    return FileStatus(FileState.PARTIAL, part.stat().st_size) if part.is_file() else FileStatus(FileState.MISSING, 0)
