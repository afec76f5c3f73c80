"""JSON lines: the format of records, and files after a kill or on a full disk."""

import json
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import SinkError
from streamdet.sinks.jsonl import SCHEMA, JsonLinesSink, json_line
from streamdet.types import Detections, Frame, Result
from tests.sinks.samples import info, picture, result

ROOT = Path(__file__).parent.parent.parent
SHOWN = picture(0)


def test_a_record_has_exactly_this_text():
    assert json_line(result(3, 3003, age_s=0.123456)) == (
        '{"schema":1,"source":"cam","index":3,"pts":3003,"time_base":"1/30000","pts_s":0.100100,"width":96,"height":64,'
        '"detection_age_s":0.1235,"detections":['
        '{"box_xyxy":[1.23,2.50,30.00,40.13],"score":0.9123,"class_id":0,"class_name":"person","track_id":7},'
        '{"box_xyxy":[5.00,6.00,7.00,8.00],"score":0.5000,"class_id":1,"class_name":"a \\"quoted\\" cup",'
        '"track_id":null}]}\n'
    )


def test_the_detection_age_is_null_before_the_first_detection():
    frame = result(0).frame
    read = json.loads(json_line(Result(frame, Detections.empty(), float("inf"))))
    assert read["detection_age_s"] is None
    assert read["detections"] == []


def test_a_file_has_one_line_per_frame(tmp_path):
    path = tmp_path / "out.jsonl"
    with JsonLinesSink(path) as sink:
        sink.open(info())
        for number in range(4):
            sink.write(result(number))
    assert path.read_text() == "".join(json_line(result(n)) for n in range(4))


numbers = st.floats(width=32)  # NaN and infinities included
ROWS = st.tuples(st.lists(numbers, min_size=4, max_size=4), numbers, st.integers(0, 5), st.integers(-1, 2**62))


@given(
    source=st.text(max_size=8),
    pts=st.integers(-(2**62), 2**62),
    time_base=st.fractions(min_value=Fraction(1, 10**9), max_value=2),
    age_s=st.floats(),
    rows=st.lists(ROWS, max_size=5),
    labels=st.lists(st.text(max_size=5), max_size=3),
)
def test_every_record_is_json_and_contains_the_values(source, pts, time_base, age_s, rows, labels):
    found = Detections(
        np.array([box for box, *_ in rows], np.float32).reshape(-1, 4),
        np.array([score for _, score, *_ in rows], np.float32),
        np.array([class_id for _, _, class_id, _ in rows], np.int32),
        np.array([track_id for *_, track_id in rows], np.int64),
        tuple(labels),
    )
    line = json_line(Result(Frame(SHOWN, source, 5, pts, time_base, 0), found, age_s))

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    read = json.loads(line, parse_constant=refuse)
    assert line.count("\n") == 1
    assert read["schema"] == SCHEMA
    assert (read["source"], read["index"], read["pts"]) == (source, 5, pts)
    assert Fraction(read["time_base"]) == time_base
    for one, (box, score, class_id, track_id), name in zip(read["detections"], rows, found.class_names, strict=True):
        for value, given_value in zip([*one["box_xyxy"], one["score"]], [*box, score], strict=True):
            if np.isfinite(given_value):
                assert value == pytest.approx(given_value, abs=0.0051)
            else:
                assert value is None
        assert (one["class_id"], one["class_name"]) == (class_id, name)
        assert one["track_id"] == (track_id if track_id >= 0 else None)


def test_a_killed_process_loses_no_line(tmp_path):
    path = tmp_path / "out.jsonl"
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom streamdet.sinks.jsonl import JsonLinesSink\n"
        "from tests.sinks.samples import info, result\nsink = JsonLinesSink(Path(sys.argv[1]))\nsink.open(info())\n"
        "for number in range(50): sink.write(result(number))\nos.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == list(range(50))


def test_a_full_disk_leaves_complete_lines(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "out.jsonl"
    sink = JsonLinesSink(path)
    sink.open(info())

    def fill() -> None:
        for number in range(1000):
            sink.write(result(number))

    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(SinkError, match="the disk is full; what was written before stays usable"):
            fill()
        with pytest.raises(SinkError, match="the disk is full"):
            sink.write(result(0))
        sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    lines = path.read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(len(lines)))
    assert 4000 < path.stat().st_size <= 5000
