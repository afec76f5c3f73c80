"""Tracks read from the JSON lines of `streamdet run`."""

from fractions import Fraction

import numpy as np
import pytest

from streamdet.errors import UsageError
from streamdet.evaluate.mot_jsonl import read_jsonl_tracks
from streamdet.sinks.jsonl import json_line
from streamdet.types import Detections, Frame, Result
from tests.sinks.samples import picture


def line(index, ids, source="cam"):
    boxes_xyxy = np.array([[10 * i, 5, 10 * i + 8, 20] for i in range(len(ids))], np.float32).reshape(-1, 4)
    found = Detections(
        boxes_xyxy, np.full(len(ids), 0.5, np.float32), np.full(len(ids), 3, np.int32), np.array(ids, int)
    )
    return json_line(Result(Frame(picture(0), source, index, index, Fraction(1, 10), 0), found))


@pytest.fixture
def file(tmp_path):
    def write(*lines):
        path = tmp_path / "run.jsonl"
        path.write_text("".join(lines))
        return path

    return write


def test_reads_what_the_sink_writes(file):
    path = file(line(0, [4, -1, 7]), line(2, []), line(3, [7]))
    frames = read_jsonl_tracks(path)
    assert [frame.track_ids.tolist() for frame in frames] == [[4, 7], [], [], [7]], "boxes without a track are left out"
    assert frames[0].boxes_xyxy.tolist() == [[0, 5, 8, 20], [20, 5, 28, 20]]
    assert frames[0].class_ids.tolist() == [0, 0]
    assert len(read_jsonl_tracks(path, length=6)) == 6
    assert read_jsonl_tracks(file()) == []


def test_records_without_schema_are_read(file):
    frames = read_jsonl_tracks(file(line(0, [4]).replace('"schema":1,', "")))
    assert [frame.track_ids.tolist() for frame in frames] == [[4]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        pytest.param(["{}\n"], "line 1: expected a line of `streamdet run", id="empty object"),
        pytest.param(["[]\n"], "line 1: expected a line of", id="not an object"),
        pytest.param(
            [line(0, [1]).replace('"schema":1', '"schema":2')],
            "line 1: schema 2, but this streamdet reads only up to 1: upgrade streamdet",
            id="newer schema",
        ),
        pytest.param([line(0, [1]).replace('"schema":1', '"schema":null')], "line 1: exp", id="schema not a number"),
        pytest.param(["1,1,0,0,9,9,1\n"], "line 1: expected a line of", id="MOTChallenge"),
        pytest.param([line(0, [1])[:-20]], "line 1: expected a line of", id="half a line"),
        pytest.param([line(0, [1]), line(1, [1], "b")], "line 2: the file has a second stream, b", id="two streams"),
        pytest.param([line(0, [1]), line(0, [1])], "line 2: frame 0 appears twice", id="twice"),
        pytest.param([line(9, [1])], "line 1: frame 9 of 5: do the files belong", id="too long"),
        pytest.param([line(0, [1, 1])], "line 1: two objects have the same track_id", id="same id"),
        pytest.param([line(0, [1]).replace("8.00", "null")], "line 1: expected a line of", id="null coordinate"),
        pytest.param([line(0, [1]).replace("8.00", "1e999")], "line 1: expected a line of", id="infinite"),
        pytest.param([line(0, [1]).replace('"track_id":1', '"track_id":-3')], "line 1: expected", id="negative id"),
        pytest.param([line(0, [1]).replace('"track_id":1', '"track_id":1' + 20 * "0")], "line 1: exp", id="huge id"),
        pytest.param([line(0, [1]).replace('"index":0', '"index":1e999')], "line 1: expected", id="infinite index"),
    ],
)
def test_invalid_files(file, lines, message):
    with pytest.raises(UsageError, match=message):
        read_jsonl_tracks(file(*lines), length=5)
