"""Runs a `streamdet` command in its own process; tests wait for its output instead of sleeping."""

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
"""Longest wait for anything, in seconds: generous, because a busy machine is not a failure."""


def _accept_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


accept_ctrl_c = None if sys.platform == "win32" else _accept_ctrl_c
"""For `preexec_fn`: the background jobs of a shell ignore Ctrl-C, and so do their children by default."""


class Running:
    """Runs ``streamdet ARGUMENTS`` in a ``with`` block, whose end kills the process if it still runs.

    `python`: options of the interpreter. `first`: Python code that runs before the command, in the same process.
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
                preexec_fn=accept_ctrl_c,
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
        """Returns the ids of its child processes that still exist."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def records(path: Path) -> list[dict]:
    """Returns the complete lines of a JSON lines file, which may still be written to."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def times_s(path: Path) -> list[float]:
    """Plays a video file to its end and returns the time of every frame that can be decoded."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]
