"""Ctrl-C and termination signals: every signal handler of the package is installed here.

| where | what the first signal does | what the second does |
|---|---|---|
| `exit_at_once` | ends the process: the program is still importing | |
| `raise_keyboard_interrupt` | raises KeyboardInterrupt in the main thread | raises it again |
| `InterruptListener` | calls `stop`, from a thread, whatever the main thread is doing | ends the process |
| `FirstInterrupt` | sets `received`: a pipeline that a program runs stops in order | raises KeyboardInterrupt |
| `deferred_interrupts` | waits until the block has ended | waits as well |

All of them restore the previous handlers, except `exit_at_once`, which the next one replaces.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

EXIT_CODE = 130

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


def exit_at_once() -> None:
    """Makes SIGINT and SIGTERM end the process, unless someone else handles them. For the time of imports."""
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is default:
            signal.signal(number, lambda *_: os._exit(EXIT_CODE))


def leave() -> None:
    """Ends the process at once, without waiting for library calls that other threads are in."""
    if sys.__stderr__ is not None and sys.__stderr__.isatty():
        os.write(2, b"\x1b[?25h\n")  # a progress display hides the cursor
    os._exit(EXIT_CODE)


@contextmanager
def raise_keyboard_interrupt() -> Iterator[None]:
    """Raises KeyboardInterrupt in the main thread for SIGINT and SIGTERM inside the block. Ignored stays ignored."""
    before: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                before[signal.SIGINT] = signal.signal(signal.SIGINT, _raise)
            before[signal.SIGTERM] = signal.signal(signal.SIGTERM, _raise)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class InterruptListener:
    """While open, a thread receives SIGINT, SIGTERM and SIGHUP; the main thread is not interrupted.

    Python runs a signal handler in the main thread, between two bytecode instructions. If the main thread is inside a
    library call, the handler waits until the call returns, and loading a large model takes minutes. A
    KeyboardInterrupt raised there could also arrive at any instruction.

    Until `stop` is set there is nothing to lose, and the first signal ends the process. Once it is set, the first
    signal calls `stop` and the second ends the process. Ignored signals (nohup) stay ignored.

    Attributes:
        stop: asks the run to end; must return at once.
        received: whether a signal has arrived.
    """

    def __init__(self, leave: Callable[[], None] = leave) -> None:
        self.stop: Callable[[], None] | None = None
        self.received = False
        self._leave = leave
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._listener = threading.Thread(target=self._listen, name="interrupts", daemon=True)

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._listener.is_alive():
            return
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._writer.close()
        self._listener.join()
        self._reader.close()

    def _listen(self) -> None:
        while numbers := self._reader.recv(16):
            for number in numbers:
                if number in self._handlers:
                    self._on_signal()

    def _on_signal(self) -> None:
        first, self.received = not self.received, True
        if first and self.stop is not None:
            self.stop()
        else:
            self._leave()


class FirstInterrupt:
    """While open, the first Ctrl-C sets `received`; the second raises KeyboardInterrupt as usual.

    A KeyboardInterrupt could arrive between any two instructions of the main thread, for example between taking a frame
    and counting it. Does nothing outside the main thread, or if the program has its own handler.

    Attributes:
        received: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.received = False
        self._installed = False

    def __enter__(self) -> Self:
        in_main = threading.current_thread() is threading.main_thread()
        self._installed = in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._installed:
            signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = True


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Delivers SIGINT and SIGTERM after the block. Processes started inside never receive SIGINT.

    Use it to start worker processes: a child that is interrupted while it starts prints a traceback. Such children must
    end when their parent does.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    missed: list[int] = []
    numbers = signal.SIGINT, signal.SIGTERM
    handlers = {number: signal.signal(number, lambda number, _: missed.append(number)) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # new processes inherit the mask, not the handlers
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if missed:
            signal.raise_signal(missed[0])
