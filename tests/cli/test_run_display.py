import os
import re
import signal
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from streamdet.cli.run_display import RunDisplay, _rate, summary
from streamdet.pipeline.report import Percentiles, Report, SinkReport, StreamReport
from tests.running import ROOT


def report():
    times = Percentiles(12.3, 4567.8, 123456.7)
    sinks = [SinkReport(name, 123456, 123450, {"late": 4, "queue_full": 2}, times, times, []) for name in NAMES]
    stages = dict.fromkeys(("decode", "preprocess", "infer", "postprocess", "track", "draw"), times)
    dropped, faults = {"queue_full": 12345, "stopped": 1}, {"reconnect": 3, "decode_error": 17}
    fields = "c" * 64, "", "live", 2, 1, dropped, faults, 99, {"still": 2}, 9.9, 30, stages, times
    return Report([StreamReport(*fields, sinks=sinks, video_s=19.8)], "cpu", 1)


NAMES = ["null:", f"/some/{'long/' * 20}recording.mp4", f"/{'n' * 100}.jsonl", "pictures/"]


def test_summary_fits_80_columns_and_keeps_every_number():
    from rich.console import Console

    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(summary(report()))
    text = captured.get()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.count("123457") == 6 + 1 + len(NAMES)  # stages, age of detections, sinks
    assert "age at recording.mp4" in text
    assert "captured 2 = shown 1 + dropped 12346 (queue_full 12345, stopped 1)" in text
    assert "decode_error 17, reconnect 3" in text
    assert "99 inferred, 5.0 per second of video; not inferred: still 2" in text


def test_progress_fits_80_columns_and_truncates_neither_names_nor_numbers():
    from rich.console import Console

    names = ["192.168.1.20_Streaming_channels_101", "192.168.1.20_Streaming_channels_102", "front"]
    (stream,) = report().streams
    streams = [replace(stream, name=name, captured=1234567, shown=1234567, inferred=234567) for name in names]
    state = SimpleNamespace(
        stats=SimpleNamespace(last_shown_ns=time.monotonic_ns()), info=SimpleNamespace(frame_count=7654321)
    )
    job = SimpleNamespace(
        report=lambda: Report(streams, "cpu", 1), pipeline=SimpleNamespace(streams=3 * [state], started_ns=1)
    )
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(RunDisplay(job)._progress())
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(line.split(" ")[0] for line in lines) == "".join(names)
    numbers = [line.split()[-5:] for line in lines if "/7654321" in line]
    assert numbers == 3 * [["1234567/7654321", "30.0", "234567", "12", "12370"]]


@pytest.mark.parametrize(
    ("captured", "silent_s", "words"),
    [(0, 3, "starting"), (0, 12, "[yellow]silent 12 s[/]"), (5, 1, "9.9"), (5, 3, "[yellow]silent 3 s[/]")],
)
def test_a_starting_stream_is_silent_later(captured, silent_s, words):
    (stream,) = report().streams
    assert _rate(replace(stream, captured=captured, fps=9.9), silent_s) == words


@pytest.mark.parametrize(("silent_s", "words"), [(3, "starting"), (14, "starting"), (15, "[yellow]silent 15 s[/]")])
def test_buffered_frames_of_smooth_mode_are_not_silence(silent_s, words):
    (stream,) = report().streams
    assert _rate(replace(stream, captured=120, shown=0, delay_s=5.0), silent_s) == words


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_on_a_terminal_progress_is_erased_and_ctrl_c_restores_the_cursor(tmp_path):
    import pty

    arguments = ["-m", "streamdet", "run", "synthetic:shapes?frames=0&size=320x240&live=1", "-m", "none", "-o", "null:"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ |= {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.execv(sys.executable, [sys.executable, *arguments])
    output, pressed = b"", False
    while True:
        try:
            output += os.read(terminal, 4096)
        except OSError:  # the other side is gone
            break
        if not pressed and re.search(rb"synthetic\S*\s+[1-9]", output):  # something was captured
            pressed = True
            os.write(terminal, b"\x03")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l") >= 0  # the cursor is shown again
    after = output[output.rfind(b"\x1b[?25h") :].decode()
    assert after.count("captured") == 1
    assert b"Traceback" not in output
