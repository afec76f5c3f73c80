"""MOTChallenge's files: reading, writing, errors, and finding sequences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import SinkError, UsageError
from streamdet.evaluate.mot_sequences import find_sequences, info_next_to, read_info
from streamdet.evaluate.mot_text import read_detections, read_ground_truth, read_tracks, write_tracks
from streamdet.types import Detections


@pytest.fixture
def file(tmp_path):
    def write(text, name="a.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_reads_detections(file):
    path = file("\n3,-1,10,20,30,40,0.5,-1,-1,-1\r\n1,-1, 1,2,3.5,4,1,-1,-1,-1\n\n3,-1,0,0,1,1,0.25,-1,-1,-1")
    frames = read_detections(path)
    assert [len(frame) for frame in frames] == [1, 0, 2]
    assert frames[2].boxes_xyxy.tolist() == [[10, 20, 40, 60], [0, 0, 1, 1]], "in the file's order"
    assert frames[2].scores.tolist() == [0.5, 0.25]
    assert frames[0].track_ids.tolist() == [-1]
    assert len(read_detections(path, length=5)) == 5


def test_scores_outside_0_to_1_need_a_score_range(file):
    path = file("1,-1,0,0,9,9,-20\n1,-1,0,0,9,9,30\n1,-1,0,0,9,9,80\n1,-1,0,0,9,9,99\n")
    with pytest.raises(UsageError, match=r"scores range from -20 to 99.*--score-range"):
        read_detections(path)
    assert read_detections(path, score_range=(-20, 80))[0].scores.tolist() == [0, 0.5, 1, 1]


def test_reads_ground_truth_of_2015(file):
    truth = read_ground_truth(file("1,4,0,0,9,9,1,-1,-1,-1\n1,5,0,0,9,9,0,-1,-1,-1\n2,4,0,0,9,9,1,7,2,8\n"))
    assert [frame.track_ids.tolist() for frame in truth.frames] == [[4], [4]]
    assert [mask.tolist() for mask in truth.ignored] == [[False], [False]], "world coordinates are not a class"


def test_reads_ground_truth_since_2016(file):
    rows = ["1,1,0,0,9,9,1,1,0.9", "1,2,0,0,9,9,0,7,1", "1,3,0,0,9,9,0,3,1", "1,4,0,0,9,9,0,1,0", "2,2,0,0,9,9,0,12,1"]
    truth = read_ground_truth(file("\n".join(rows)))
    assert [frame.track_ids.tolist() for frame in truth.frames] == [[1, 2], [2]], "others marked 0 are left out"
    assert [mask.tolist() for mask in truth.ignored] == [[False, True], [True]]


def test_reads_ground_truth_with_the_minimum_of_columns(file):
    truth = read_ground_truth(file("1,4,0,0,9,9,1\n1,5,0,0,9,9,0\n"))
    assert [frame.track_ids.tolist() for frame in truth.frames] == [[4]]
    assert [mask.tolist() for mask in truth.ignored] == [[False]]


def test_reads_a_file_without_tracks(file):
    assert read_tracks(file("")) == []
    assert [len(frame) for frame in read_tracks(file("\n"), length=2)] == [0, 0]


boxes = st.tuples(
    st.floats(-500, 4000, width=32), st.floats(-500, 4000, width=32), st.floats(0, 500), st.floats(0, 500)
)


@given(st.lists(st.lists(boxes, max_size=4), min_size=1, max_size=5))
def test_reads_back_written_tracks(tmp_path_factory, frames):
    path = tmp_path_factory.getbasetemp() / "written.txt"
    original = []
    for k, rows in enumerate(frames):
        xyxy = np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32).reshape(-1, 4)
        ids = np.arange(len(rows), dtype=np.int64) + 10 * k
        original.append(Detections(xyxy, np.full(len(rows), 0.5, np.float32), np.zeros(len(rows), np.int32), ids))
    write_tracks(path, original)
    for frame, read in zip(original, read_tracks(path, length=len(frames)), strict=True):
        assert read.track_ids.tolist() == frame.track_ids.tolist()
        np.testing.assert_allclose(read.boxes_xyxy, frame.boxes_xyxy, atol=0.0015)
        np.testing.assert_allclose(read.scores, frame.scores, atol=1e-4)


def test_boxes_without_a_track_are_not_written(tmp_path):
    boxes_xyxy = np.array([[0, 0, 9, 9], [5, 5, 9, 9]], np.float32)
    frame = Detections(boxes_xyxy, np.ones(2, np.float32), np.zeros(2, np.int32), np.array([-1, 3]))
    write_tracks(tmp_path / "a.txt", [frame])
    assert (tmp_path / "a.txt").read_text() == "1,3,5.000,5.000,4.000,4.000,1.0000,-1,-1,-1\n"
    with pytest.raises(SinkError, match="cannot write"):
        write_tracks(tmp_path, [frame])


VALID = "1,1,0,0,9,9,1,-1,-1,-1\n"
INVALID = [
    pytest.param(VALID + "1,2,0,0,9\n", "line 2: 5 columns: expected lines of frame,identity", id="few columns"),
    pytest.param(VALID + "\n1,2,0,0,9,9,1\n", "line 3: 7 columns, the lines before have 10", id="other columns"),
    pytest.param("1,2,0\n", "line 1: 3 columns", id="few columns everywhere"),
    pytest.param("frame,id,x,y,w,h,s\n" + VALID, "line 1: not comma-separated numbers", id="header"),
    pytest.param("1 1 0 0 9 9 1\n", "line 1: not comma-separated numbers", id="spaces"),
    pytest.param("0,1,0,0,9,9,1\n", "line 1: the first column is the frame, counted from 1", id="frame 0"),
    pytest.param("1.5,1,0,0,9,9,1\n", "the frame, counted from 1", id="half a frame"),
    pytest.param("1e9,1,0,0,9,9,1\n", "line 1: a frame after the last", id="huge frame"),
    pytest.param(VALID + "2,1,0,nan,9,9,1,-1,-1,-1\n", "line 2: a number that is not finite", id="NaN"),
    pytest.param("1,1,0,inf,9,9,1\n", "not finite", id="infinite"),
    pytest.param("1,1,0,0,1e9,9,1\n", "beyond a million pixels", id="far"),
    pytest.param("1,1,50,50,-9,9,1\n", "negative width or height", id="negative size"),
    pytest.param(VALID + VALID, "identity 1 appears twice in frame 1", id="twice"),
    pytest.param("1,-1,0,0,9,9,1\n", "a box of frame 1 has no identity", id="no identity"),
    pytest.param("1,1.5,0,0,9,9,1\n", "whole numbers", id="half an identity"),
    pytest.param(b"\xff\xfe\x00\x81", "is not a text file", id="bytes"),
    pytest.param(b"\x89PNG\r\n\x1a\n\x00", "is not a text file", id="image"),
]


@pytest.mark.parametrize(("text", "message"), INVALID)
def test_invalid_files(file, text, message):
    for read in (read_tracks, read_ground_truth):
        with pytest.raises(UsageError, match=message) as caught:
            read(file(text))
        assert "a.txt" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_files_that_do_not_belong_together(file):
    with pytest.raises(UsageError, match="line 1: a frame after the last, 5: do the files belong together"):
        read_tracks(file("6,1,0,0,9,9,1\n"), length=5)


@pytest.mark.parametrize("text", ["", "1,1,0,0,9,9,0,-1,-1,-1\n", "1,1,0,0,9,9,0,7,1\n"])
def test_ground_truth_without_an_object_that_counts(file, text):
    with pytest.raises(UsageError, match="it has no object that counts"):
        read_ground_truth(file(text))


def test_missing_files(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_ground_truth(tmp_path / "no.txt")
    with pytest.raises(UsageError, match="is a folder"):
        read_ground_truth(tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        read_ground_truth(tmp_path / ("x" * 3000))


INFO = "[Sequence]\nname=Street\nimDir=img1\nframeRate=25\nseqLength=71\n"


def test_finds_sequences_as_packed_by_motchallenge_and_flat(file, tmp_path):
    for name in ("packed/gt/gt.txt", "packed/det/det.txt", "flat/gt.txt", "bare/det/det.txt", "other/readme.txt"):
        file(VALID, name)
    file(INFO, "packed/seqinfo.ini")
    found, without_truth = find_sequences(tmp_path)
    assert [(f.name, f.fps, f.length) for f in found] == [("flat", 0, 0), ("Street", 25, 71)]
    assert found[0].detections is None
    assert found[1].detections == tmp_path / "packed/det/det.txt"
    assert without_truth == ["bare"]
    assert find_sequences(tmp_path / "packed") == ([found[1]], [])
    assert info_next_to(tmp_path / "packed/det/det.txt").fps == 25
    assert info_next_to(tmp_path / "flat/gt.txt").fps == 0


def test_folders_without_sequences(tmp_path):
    with pytest.raises(UsageError, match=r"no sequence with ground truth: expected NAME/gt/gt\.txt"):
        find_sequences(tmp_path)
    with pytest.raises(UsageError, match="there is no such folder"):
        find_sequences(tmp_path / "no")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "not a seqinfo.ini", id="empty"),
        pytest.param("frameRate=25", "not a seqinfo.ini", id="no section"),
        pytest.param(INFO.replace("25", "fast"), "not a seqinfo.ini", id="not a number"),
        pytest.param(INFO.replace("25", "nan"), "out of range", id="NaN"),
        pytest.param(INFO.replace("71", "-1"), "out of range", id="negative"),
        pytest.param(b"\xff\xfe\x00", "not a seqinfo.ini", id="bytes"),
        pytest.param(INFO.replace("71", "99999999999"), "seqLength 99999999999 is out of range", id="too many frames"),
        pytest.param(INFO.replace("Street", "../../Street"), "is not a valid file name", id="outside the folder"),
        pytest.param(INFO.replace("Street", "C:Street"), "is not a valid file name", id="another drive"),
        pytest.param(INFO.replace("Street", ".."), "is not a valid file name", id="parent folder"),
        pytest.param(INFO.replace("Street", "a\x1b[31m"), "is not a valid file name", id="terminal escape codes"),
    ],
)
def test_invalid_info(file, text, message):
    with pytest.raises(UsageError, match=message):
        read_info(file(text, "seqinfo.ini"))
