"""Ctrl-C while a pipeline runs: noted the first time, so that no thread loses its place."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self


class FirstInterrupt:
    """While open, the first Ctrl-C is noted in `came` and the second raises KeyboardInterrupt as usual.

    A KeyboardInterrupt can come between any two steps of the main thread, also between taking a frame and counting it.
    Does nothing outside the main thread or where the program has a handler of its own.
    """

    def __init__(self) -> None:
        self.came = False
        self._ours = False

    def __enter__(self) -> Self:
        in_main = threading.current_thread() is threading.main_thread()
        self._ours = in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
