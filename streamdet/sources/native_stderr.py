"""Keeps native libraries from printing to the terminal; streamdet reports each error once, itself."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2

_STDERR = 2
_ONE_AT_A_TIME = threading.Lock()

# libpng and libjpeg write to the process's standard error. OpenCV has no setting to stop it.
_DECODER_LINE = re.compile(
    rb"libpng (error|warning): |Corrupt JPEG data|Premature end of JPEG|\[ ?(WARN|ERROR|INFO):\d"
)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Turns off OpenCV's logging, for calls whose failure is reported otherwise."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


@contextmanager
def caught_codec_messages(messages: list[str]) -> Iterator[None]:
    """Captures what image decoders print to the process's standard error.

    Use it for calls of a few milliseconds. Output of other threads is delayed for that time and then printed unchanged.

    Args:
        messages: list to which each line that a decoder printed is added.
    """
    with _ONE_AT_A_TIME:
        try:
            real = os.dup(_STDERR)
        except OSError:  # the process has no standard error
            yield
            return
        try:
            capture = _temporary_file()
            os.dup2(capture, _STDERR)
            try:
                yield
            finally:
                os.dup2(real, _STDERR)
                _distribute(capture, real, messages)
        finally:
            os.close(real)


def _temporary_file() -> int:
    """Returns the descriptor of an unnamed file."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("streamdet-stderr")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _distribute(capture: int, real: int, messages: list[str]) -> None:
    """Adds the decoders' lines to `messages` and writes all other lines to the real standard error."""
    size = os.lseek(capture, 0, os.SEEK_END)
    os.lseek(capture, 0, os.SEEK_SET)
    captured = os.read(capture, size)
    os.close(capture)
    for line in captured.splitlines(keepends=True):
        if _DECODER_LINE.match(line):
            messages.append(line.decode("utf-8", "replace").strip())
        else:
            with suppress(OSError):  # standard error was closed by its reader
                os.write(real, line)
