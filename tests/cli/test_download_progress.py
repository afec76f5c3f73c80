"""The progress of a download."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from streamdet.cli.download_progress import DownloadProgress
from streamdet.model_spec.origin import Origin

ORIGIN = Origin("net", size_bytes=1_000_000, licence="MIT")
PATH = Path("/models/net.onnx")


def shown(*, quiet: bool = False, terminal: bool = True, total: int = 1_000_000) -> list[str]:
    """Returns the final lines of a download with a failing mirror, on a terminal without colors."""
    screen = io.StringIO()
    with DownloadProgress(quiet) as downloading:
        downloading._console = Console(file=screen, force_terminal=terminal, width=100, color_system=None)
        downloading.on_start(ORIGIN, "http://me:hunter2@first/net.onnx", PATH, 0)
        downloading.on_progress(0, total)
        downloading.on_progress(300_000, total)
        downloading.on_problem("first: the connection broke; trying the next mirror")
        downloading.on_start(ORIGIN, "http://second/net.onnx", PATH, 300_000)
        for have in range(300_000, 1_000_001, 100_000):
            downloading.on_progress(have, total)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    return [line.split("\r")[-1].rstrip() for line in text.split("\n") if line.strip()]


def test_progress_bar_on_a_terminal():
    first, bar, trouble, second, last = shown()
    assert (
        first == "streamdet: downloading net (1.0 MB, license MIT) from http://***@first/net.onnx into /models/net.onnx"
    )
    assert re.match(r"net [━╸╺ ]+ .*0\.?0?.*MB", bar), bar
    assert trouble == "streamdet: first: the connection broke; trying the next mirror"
    assert second.endswith("into /models/net.onnx, resuming at 0.3 MB")
    assert "1.0/1.0 MB" in last


def test_unknown_size():
    assert re.search(r"\d\.\d/\? MB|\d+(\.\d)?/\?", shown(total=0)[-1])


def test_without_a_terminal_there_is_no_bar():
    assert len(shown(terminal=False)) == 3


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_prints_nothing(terminal):
    assert shown(quiet=True, terminal=terminal) == []
