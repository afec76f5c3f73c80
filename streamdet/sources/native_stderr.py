"""Keeps what libraries print by themselves off the terminal: errors are told once, by the program."""

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

# libpng and libjpeg write to the process's standard error and offer OpenCV's users no way to stop it.
_OF_CODECS = re.compile(rb"libpng (error|warning): |Corrupt JPEG data|Premature end of JPEG|\[ ?(WARN|ERROR|INFO):\d")


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV from logging, where what goes wrong is told by other means."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


@contextmanager
def caught_codec_messages(messages: list[str]) -> Iterator[None]:
    """Catches what image decoders print to the process's standard error.

    For calls of some milliseconds. What other threads print meanwhile comes a moment later, unchanged.

    Args:
        messages: gets one text for each line that a decoder printed.
    """
    with _ONE_AT_A_TIME:
        try:
            real = os.dup(_STDERR)
        except OSError:  # a process without standard error: nothing to keep clean
            yield
            return
        try:
            catcher = _scratch()
            os.dup2(catcher, _STDERR)
            try:
                yield
            finally:
                os.dup2(real, _STDERR)
                _sort(catcher, real, messages)
        finally:
            os.close(real)


def _scratch() -> int:
    """Returns the descriptor of a nameless file."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("streamdet-stderr")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _sort(catcher: int, real: int, messages: list[str]) -> None:
    """Reads what was caught: the decoders' lines go to `messages`, all others to where they were meant to go."""
    size = os.lseek(catcher, 0, os.SEEK_END)
    os.lseek(catcher, 0, os.SEEK_SET)
    caught = os.read(catcher, size)
    os.close(catcher)
    for line in caught.splitlines(keepends=True):
        if _OF_CODECS.match(line):
            messages.append(line.decode("utf-8", "replace").strip())
        else:
            with suppress(OSError):  # the reader of standard error is gone
                os.write(real, line)
