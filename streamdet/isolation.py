"""Runs a function in a child process, so that a library that crashes or hangs does not affect this process.

The child is a fresh interpreter, not a fork: it shares no memory, locks or loaded libraries with its parent. Before it
imports the function it imports only the standard library and a few small modules of this package, so it also starts
where the installation is broken.

Parent and child exchange messages: any objects that can be pickled. They travel through the child's standard input and
output. What libraries print goes to a third pipe instead of the terminal. Its last line is kept, because it often names
the cause of a crash.

    with ChildProcess("package.module:function", 3, name="decoder") as child:
        child.send(b"a packet")
        answer = child.receive(timeout_s=5)

The child ends when its function returns, when `ChildProcess.close` is called, or when the parent process dies. The last
case takes up to `CLOSE_S`, or until the library returns if it does not release Python's global lock. The child has its
own process group, so Ctrl-C in a terminal reaches only the parent.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pickle
import queue
import secrets
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Self

from streamdet.errors import StreamdetError
from streamdet.interrupts import EXIT_CODE
from streamdet.redact import redact

Target = str | Callable[..., object]
"""A function as "module:function", or a function of a module or `functools.partial` of one, which can be pickled."""

CLOSE_S = 5.0
"""Seconds that a child may take to return from its function after the connection was closed or its parent died."""

_AFTER_KILL_S = 0.5
_LONGEST_LINE = 8192  # bytes; a longer line is read as several
_MAX_UNREAD = 64  # messages; the sender waits while the receiver has as many
_PARENT_CHECK_S = 1.0

_HEADER = struct.Struct(">cQ")  # kind, number of bytes that follow
_MESSAGE, _ERROR = b"m", b"e"

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from streamdet.isolation import run_child; run_child(sys.argv[2])"
)


class ChildEnded(StreamdetError):
    """A child process ended; the message says how, for example "decoder crashed (SIGSEGV): no device"."""


class ChildTimeout(StreamdetError, TimeoutError):
    """A child process did not answer, or did not take a message, in the given time."""


class ParentConnection:
    """The child's end of the connection. The function in the child gets it as its first argument.

    Attributes:
        closed: whether the parent has closed the connection or died. Earlier messages may still be unread.
    """

    def __init__(self, reader: IO[bytes], writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._lock = threading.Lock()
        self._inbox: queue.Queue[bytes | None] = queue.Queue(_MAX_UNREAD)  # None: no more
        self.closed = False
        self._parent = os.getppid()
        threading.Thread(target=self._read, name="messages from the parent", daemon=True).start()

    def send(self, message: object) -> None:
        """Sends a message to the parent; waits while the parent has too many unread messages."""
        self._write(_MESSAGE, pickle.dumps(message))

    def receive(self, timeout_s: float | None = None) -> Any:
        """Returns the next message of the parent.

        Args:
            timeout_s: limit of the wait; None waits forever.

        Raises:
            EOFError: the parent closed the connection or died.
            ChildTimeout: no message arrived in time.
        """
        if self.closed and self._inbox.empty():
            raise EOFError
        try:
            data = self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            raise ChildTimeout(f"the parent sent no message within {timeout_s:g} s") from None
        if data is None:
            raise EOFError
        return pickle.loads(data)

    def send_error(self, error: BaseException) -> None:
        """Sends an exception, or only its text if it cannot be pickled and read back."""
        try:
            data = pickle.dumps(error)
            pickle.loads(data)
        except Exception:
            data = pickle.dumps(ChildEnded(f"{type(error).__name__}: {error}"))
        self._write(_ERROR, data)

    def _write(self, kind: bytes, data: bytes) -> None:
        with self._lock:
            for part in (_HEADER.pack(kind, len(data)), data):
                view = memoryview(part)
                while view:
                    view = view[os.write(self._writer, view) :]

    def _read(self) -> None:
        """Fills the inbox, and ends the process once the parent is gone. Runs in a thread."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                self._put(_read_frame(self._reader)[1])
        self.closed = True
        with contextlib.suppress(queue.Full):
            self._inbox.put_nowait(None)
        time.sleep(CLOSE_S)
        os._exit(1)  # the function did not return in time

    def _put(self, data: bytes) -> None:
        while True:
            try:
                return self._inbox.put(data, timeout=_PARENT_CHECK_S)
            except queue.Full:
                if os.getppid() != self._parent:  # on POSIX an orphan gets another parent
                    raise EOFError from None


def run_child(token: str) -> None:
    """Takes over the standard streams, then receives the function and calls it. Runs in the child; never returns.

    Args:
        token: sent before the first message. The parent treats everything before it as output of the start-up.
    """
    messages_in, messages_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)  # what libraries print must not mix with messages
    os.write(messages_out, f"\n{token}\n".encode())
    code = 0
    try:
        parent = ParentConnection(os.fdopen(messages_in, "rb"), messages_out)
    except RuntimeError as error:  # no more threads
        print(error, file=sys.stderr)
        code = 1
    else:
        try:
            target, arguments = parent.receive()
            _function(target)(parent, *arguments)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else bool(error.code)
        except KeyboardInterrupt:
            code = EXIT_CODE
        except BaseException as error:  # raised again in the parent
            if not (parent.closed and isinstance(error, EOFError)):  # that is how `receive` ends a function
                code = 1
                with contextlib.suppress(OSError):  # the parent is gone
                    parent.send_error(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)  # a normal exit unloads drivers, which may crash or hang again; nothing is left to close


def _function(target: Target) -> Callable[..., object]:
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    function: Callable[..., object] = getattr(importlib.import_module(module), name)
    return function


def _read_frame(reader: IO[bytes]) -> tuple[bytes, bytes]:
    """Returns the kind and the bytes of the next message. Raises EOFError at the end of the stream."""
    header = reader.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    kind, size = _HEADER.unpack(header)
    data = reader.read(size)
    if len(data) < size:
        raise EOFError
    return kind, data


class ChildProcess:
    """A function that runs in a child process; a context that closes it.

    Two threads read what the child sends and prints, until it ends. `send` and `receive` may be called from different
    threads, `kill` from any.

    Args:
        target: the function. It is called with a `ParentConnection` and the arguments. It must not be defined in the
            program's main module, which the child does not import.
        arguments: for the function; they are pickled.
        name: for messages.

    Attributes:
        name: as given.
        last_line: the last line that the child printed, without credentials; "" for none.

    Raises:
        OSError: the system starts no process.
        RuntimeError: the system starts no thread.
    """

    def __init__(self, target: Target, *arguments: object, name: str = "child process") -> None:
        self.name = name
        self.last_line = ""
        self._inbox: queue.Queue[bytes | None] = queue.Queue(_MAX_UNREAD)  # None: no more
        self._error: bytes | None = None
        self._killed = False
        self._closed = threading.Event()
        self._sending = threading.Lock()
        task = pickle.dumps((target, arguments))
        self._process, self._token = _start_interpreter()
        readers = ((self._read_messages, "messages"), (self._read_output, "output"))
        self._threads = [threading.Thread(target=f, name=f"{what} of {name}", daemon=True) for f, what in readers]
        try:
            for thread in self._threads:
                thread.start()
            with contextlib.suppress(ChildEnded):  # it died at once: `receive` reports it
                self._send(task, None)
        except BaseException:
            self.kill()
            self._abandon()
            raise

    def send(self, message: object, timeout_s: float | None = None) -> None:
        """Sends a message to the child; waits while the child has too many unread messages.

        Args:
            message: what to send; it is pickled.
            timeout_s: limit of the wait; None waits forever. On Windows the limit has no effect.

        Raises:
            ChildTimeout: the child did not read the message in time. No more can be sent after that.
            ChildEnded: the child has ended.
            Exception: what the child's function raised.
        """
        self._send(pickle.dumps(message), timeout_s)

    def _send(self, data: bytes, timeout_s: float | None) -> None:
        assert self._process.stdin is not None
        try:
            with self._sending:
                self._write(self._process.stdin.fileno(), _HEADER.pack(_MESSAGE, len(data)) + data, timeout_s)
        except ChildTimeout:
            self._close_input()  # part of a message was sent
            raise
        except ValueError:
            raise ChildEnded(f"{self.name} is closed") from None
        except OSError:
            self._threads[0].join(_AFTER_KILL_S)
            raise self._end() from None

    def receive(self, timeout_s: float | None = None) -> Any:
        """Returns the next message of the child.

        Args:
            timeout_s: limit of the wait; None waits forever.

        Raises:
            ChildTimeout: no message arrived in time. The child continues.
            ChildEnded: the child has ended, and all its messages have been received.
            Exception: what the child's function raised.
        """
        if self._closed.is_set() and self._inbox.empty():
            raise self._end()
        try:
            data = self._inbox.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            raise ChildTimeout(f"{self.name} gave no answer within {timeout_s:g} s") from None
        if data is not None:
            return pickle.loads(data)
        self._inbox.put(None)  # for the next call
        self._threads[1].join(_AFTER_KILL_S)  # the last line may still be on its way
        raise self._end()

    @property
    def exit_code(self) -> int | None:
        """The exit code, or minus the number of the signal that ended the process; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> bool:
        """Waits for the end of the process, and returns whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.01, timeout_s))
        return self._process.poll() is not None

    def describe_end(self) -> str:
        """Returns how the process ended, with the last line it printed, for example "crashed (SIGSEGV): no device"."""
        code = self.exit_code
        if code is None:
            return "still runs"
        if self._killed:
            return "was killed"
        how = "ended" if code == 0 else f"ended with code {code}" if code > 0 else f"crashed ({_signal_name(-code)})"
        return f"{how}: {self.last_line}" if self.last_line else how

    def kill(self) -> None:
        """Kills the process, and returns without waiting: a process that is stuck in a driver may never end."""
        if self._process.poll() is None:
            self._killed = True
            self._process.kill()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Closes the connection, kills the child if it does not end, and frees its resources. May be called twice.

        Never waits for a killed process that does not end; its two threads remain until it does.

        Args:
            timeout_s: how long the function may take to return after its `ParentConnection.receive` raised EOFError.
        """
        self._close_input()
        self._closed.set()
        if not self.wait(timeout_s):
            self.kill()
        self._abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self) -> BaseException:
        self.wait(_AFTER_KILL_S)
        if self._error is None:
            return ChildEnded(f"{self.name} {self.describe_end()}")
        try:
            error = pickle.loads(self._error)
        except Exception as reason:  # its class can be imported only in the child
            return ChildEnded(f"{self.name} failed with an error that cannot be read: {reason}")
        assert isinstance(error, BaseException)
        return error

    def _close_input(self) -> None:
        if not self._sending.acquire(timeout=_AFTER_KILL_S):
            self.kill()  # a thread is waiting in `send`, and the child reads nothing
            if not self._sending.acquire(timeout=_AFTER_KILL_S):
                return
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._sending.release()

    def _abandon(self) -> None:
        """Waits for a killed process for a moment only; the threads close their pipes when it ends."""
        self._closed.set()
        self._close_input()
        deadline = time.monotonic() + _AFTER_KILL_S
        for thread, pipe in zip(self._threads, (self._process.stdout, self._process.stderr), strict=True):
            if thread.ident is not None:  # it was started
                thread.join(max(0.0, deadline - time.monotonic()))
            elif pipe is not None:
                pipe.close()
        self.wait(deadline - time.monotonic())

    def _write(self, descriptor: int, data: bytes, timeout_s: float | None) -> None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:  # the pipe is full; POSIX only, where it does not block
                poll = select.poll()
                poll.register(descriptor, select.POLLOUT)
                left_ms = None if deadline is None else max(0.0, 1000 * (deadline - time.monotonic()))
                if not poll.poll(left_ms):
                    raise ChildTimeout(f"{self.name} did not read a message within {timeout_s:g} s") from None

    def _read_messages(self) -> None:
        assert self._process.stdout is not None
        with io.BufferedReader(self._process.stdout) as reader:  # type: ignore[type-var]
            if self._skip_start_up(reader):
                with contextlib.suppress(OSError, EOFError):
                    while True:
                        kind, data = _read_frame(reader)
                        if kind == _ERROR:
                            self._error = data
                        else:
                            self._put(data)
        self._put(None)
        self._process.wait()  # leaves no zombie

    def _skip_start_up(self, reader: IO[bytes]) -> bool:
        """Skips what was printed before `run_child` took over. Returns whether that has happened."""
        while line := reader.readline(_LONGEST_LINE):
            if line.strip() == self._token:
                return True
            self._keep(line)
        return False

    def _put(self, data: bytes | None) -> None:
        while not self._closed.is_set():
            try:
                return self._inbox.put(data, timeout=0.1)
            except queue.Full:
                continue
        if data is None:
            with contextlib.suppress(queue.Full):
                self._inbox.put_nowait(data)  # for a thread that waits in `receive`

    def _read_output(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError), io.BufferedReader(self._process.stderr) as reader:  # type: ignore[type-var]
            while line := reader.readline(_LONGEST_LINE):
                self._keep(line)

    def _keep(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip().rpartition("\r")[2]  # the last state of a progress display
        if text:
            self.last_line = redact(text)


def _start_interpreter() -> tuple[subprocess.Popen[bytes], bytes]:
    """Starts `run_child` in a fresh interpreter; returns the process and the token that it writes first."""
    token = secrets.token_hex(16)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _BOOT, json.dumps(sys.path), token],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        process_group=None if sys.platform == "win32" else 0,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    if sys.platform != "win32":
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
    return process, token.encode()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
