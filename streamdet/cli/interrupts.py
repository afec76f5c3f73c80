"""What Ctrl-C does to a run, whatever the main thread is doing: the first stops it in order, the second ends it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

EXIT_CODE = 130

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


def leave() -> None:
    """Ends the process at once. Whatever a library is doing in a thread is not waited for."""
    if sys.__stderr__ is not None and sys.__stderr__.isatty():
        os.write(2, b"\x1b[?25h\n")  # a progress display hides the cursor
    os._exit(EXIT_CODE)


class Interrupts:
    """While open, SIGINT, SIGTERM and SIGHUP do not interrupt the main thread but are heard by a thread of its own.

    Python runs signal handlers in the main thread between two steps of it, which is not before a library's call has
    returned: loading a large model takes minutes. And a KeyboardInterrupt raised there can come at any place.

    Until `stop` is set there is nothing to lose, and the first signal ends the process. After that the first one calls
    `stop` and the second one ends the process. Signals that are ignored (nohup) stay so.

    Attributes:
        stop: asks the run to end; returns at once.
        came: whether a signal came.
    """

    def __init__(self, leave: Callable[[], None] = leave) -> None:
        self.stop: Callable[[], None] | None = None
        self.came = False
        self._leave = leave
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._listener = threading.Thread(target=self._listen, name="interrupts", daemon=True)

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._listener.is_alive():
            return
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._told.close()
        self._listener.join()
        self._heard.close()

    def _listen(self) -> None:
        while numbers := self._heard.recv(16):
            for number in numbers:
                if number in self._handlers:
                    self._hear()

    def _hear(self) -> None:
        first, self.came = not self.came, True
        if first and self.stop is not None:
            self.stop()
        else:
            self._leave()
