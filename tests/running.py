"""A `streamdet` command in a process of its own, watched through what it writes rather than by waiting."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av

ROOT = Path(__file__).parent.parent
SLOW = 60
"""Longest wait for anything, in seconds: generous, since a busy machine is no failure."""


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


hear_ctrl_c = None if sys.platform == "win32" else _hear_ctrl_c
"""For `preexec_fn`: a shell's background jobs ignore Ctrl-C, and so do their children until they are told not to."""


class Running:
    """Runs ``streamdet ARGUMENTS`` until the end of its ``with`` block, which kills what is left of it.

    `python` are options of the interpreter; `first` is Python code to run before the command, in its process.
    """

    def __init__(self, *arguments: str | Path, folder: Path, python: tuple[str, ...] = (), first: str = "") -> None:
        self._stderr = folder / "stderr.txt"
        start = ("-c", f"{first}\nfrom streamdet.__main__ import main\nmain()") if first else ("-m", "streamdet")
        command = [sys.executable, *python, *start, *map(str, arguments)]
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                preexec_fn=hear_ctrl_c,
            )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def stderr(self) -> str:
        return self._stderr.read_text(errors="replace")

    def wait_for(self, what: str, condition: Callable[[], object]) -> None:
        """Polls until `condition` holds while the process runs."""
        deadline = time.monotonic() + SLOW
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode} before {what}: {self.stderr}"
            assert time.monotonic() < deadline, f"no {what} within {SLOW} s: {self.stderr}"
            time.sleep(0.02)

    def wait_for_text(self, text: str) -> None:
        self.wait_for(repr(text), lambda: text in self.stderr)

    def wait_for_records(self, path: Path, count: int) -> None:
        self.wait_for(f"{count} records", lambda: len(records(path)) >= count)

    def signal(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def kill_hard(self) -> None:
        self.process.kill()
        self.process.wait()

    def ends(self, timeout_s: float = SLOW) -> int:
        """Waits for the end and returns the exit code."""
        return self.process.wait(timeout_s)

    def children(self) -> list[int]:
        """Ids of the processes that it started and that are still there."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def records(path: Path) -> list[dict]:
    """The whole lines of a JSON lines file that may be just being written."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def times_s(path: Path) -> list[float]:
    """Plays a video file to its end: the time of every picture that can be decoded."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]
