"""The local files of known models: finding, verifying and downloading them."""

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
"""Puts a missing model file at a path, or raises ModelError."""


def refuse_download(origin: Origin, path: Path) -> None:
    """Raises, explaining how to download the file.

    Raises:
        ModelError: always.
    """
    pull_command = f"run streamdet models pull {origin.argument}, or " if origin.urls and origin.digests else ""
    raise ModelError(f"{origin.name} is not on this machine: {pull_command}{download_help(origin, path)}")


def downloader(listener: DownloadListener) -> Downloader:
    """Returns a function that downloads missing model files and reports to `listener`."""
    return lambda origin, path: pull_model(origin, path, listener)


def read_cached_model(origin: Origin, path: Path, download: Downloader = refuse_download) -> ModelFile:
    """Reads and verifies a model file; downloads it first if it is missing.

    Raises:
        ModelError: the file is missing or does not match.
    """
    if not path.is_file():
        download(origin, path)
    file = read_model(path)
    verify_file(origin, file)
    return file


def verify_file(origin: Origin, file: ModelFile) -> None:
    """Checks a file against the known size and digests.

    Raises:
        ModelError: the file differs.
    """
    fix = f"delete it, or replace it with: streamdet models pull --force {origin.argument}"
    size = len(file.data)
    if origin.size_bytes and size != origin.size_bytes:
        raise ModelError(f"{file.name} has {size} bytes, {origin.name} has {origin.size_bytes}: {fix}")
    for algorithm, expected in origin.digests.items():
        actual = hashlib.new(algorithm, file.data).hexdigest()
        if actual != expected:
            raise ModelError(
                f"{file.name} is not {origin.name}: its {algorithm} is {actual}, expected {expected}: {fix}"
            )


def pull_model(origin: Origin, path: Path, listener: DownloadListener | None = None, *, replace: bool = False) -> bool:
    """Makes sure that the file at `path` exists, matches its origin, and is a model that can be loaded.

    Args:
        origin: size, digests and download addresses of the file.
        path: must end in .onnx: descriptions are untrusted, and must not write other files.
        listener: gets the progress of the download.
        replace: always download, and replace an existing file.

    Returns:
        Whether it was downloaded.

    Raises:
        ModelError: the file cannot be downloaded or is wrong; the message states the fix.
    """
    from streamdet.models.download import download_file

    if path.suffix.casefold() != ".onnx":
        raise ModelError(f"{path} does not end in .onnx: only .onnx files are downloaded")
    missing = replace or not path.exists()
    if missing:
        download_file(origin, path, listener, replace=replace)
    file = read_model(path)
    verify_file(origin, file)
    parse_onnx(*file)
    return missing


class FileState(Enum):
    """The state of a local model file, by its size; `verify_file` checks its content."""

    PRESENT = "here"
    MISSING = "not downloaded"
    PARTIAL = "partial"
    WRONG_SIZE = "damaged"


class FileStatus(NamedTuple):
    """The state of a local model file, and its size in bytes."""

    state: FileState
    size: int


def file_status(origin: Origin, path: Path) -> FileStatus:
    """Returns the state of a local model file."""
    if path.is_file():
        size = path.stat().st_size
        return FileStatus(
            FileState.PRESENT if size == origin.size_bytes or not origin.size_bytes else FileState.WRONG_SIZE, size
        )
    partial = partial_path(path, origin)
    return (
        FileStatus(FileState.PARTIAL, partial.stat().st_size) if partial.is_file() else FileStatus(FileState.MISSING, 0)
    )
