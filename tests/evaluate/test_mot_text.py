"""MOTChallenge's files: read, written, refused; and where they lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import SinkError, UsageError
from streamdet.evaluate.mot_sequences import find_sequences, info_beside, read_info
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


def test_detections(file):
    path = file("\n3,-1,10,20,30,40,0.5,-1,-1,-1\r\n1,-1, 1,2,3.5,4,1,-1,-1,-1\n\n3,-1,0,0,1,1,0.25,-1,-1,-1")
    frames = read_detections(path)
    assert [len(frame) for frame in frames] == [1, 0, 2]
    assert frames[2].boxes_xyxy.tolist() == [[10, 20, 40, 60], [0, 0, 1, 1]], "in the file's order"
    assert frames[2].scores.tolist() == [0.5, 0.25]
    assert frames[0].track_ids.tolist() == [-1]
    assert len(read_detections(path, length=5)) == 5


def test_scores_of_another_range(file):
    path = file("1,-1,0,0,9,9,-20\n1,-1,0,0,9,9,30\n1,-1,0,0,9,9,80\n1,-1,0,0,9,9,99\n")
    with pytest.raises(UsageError, match=r"scores go from -20 to 99.*--score-range"):
        read_detections(path)
    assert read_detections(path, score_range=(-20, 80))[0].scores.tolist() == [0, 0.5, 1, 1]


def test_truth_of_2015(file):
    truth = read_ground_truth(file("1,4,0,0,9,9,1,-1,-1,-1\n1,5,0,0,9,9,0,-1,-1,-1\n2,4,0,0,9,9,1,7,2,8\n"))
    assert [frame.track_ids.tolist() for frame in truth.frames] == [[4], [4]]
    assert [mask.tolist() for mask in truth.ignored] == [[False], [False]], "a place in the world is no class"


def test_truth_since_2016(file):
    rows = ["1,1,0,0,9,9,1,1,0.9", "1,2,0,0,9,9,0,7,1", "1,3,0,0,9,9,0,3,1", "1,4,0,0,9,9,0,1,0", "2,2,0,0,9,9,0,12,1"]
    truth = read_ground_truth(file("\n".join(rows)))
    assert [frame.track_ids.tolist() for frame in truth.frames] == [[1, 2], [2]], "cars and persons marked 0 are out"
    assert [mask.tolist() for mask in truth.ignored] == [[False, True], [True]]


def test_truth_without_a_column_more_than_it_needs(file):
    truth = read_ground_truth(file("1,4,0,0,9,9,1\n1,5,0,0,9,9,0\n"))
    assert [frame.track_ids.tolist() for frame in truth.frames] == [[4]]
    assert [mask.tolist() for mask in truth.ignored] == [[False]]


def test_no_tracks_at_all(file):
    assert read_tracks(file("")) == []
    assert [len(frame) for frame in read_tracks(file("\n"), length=2)] == [0, 0]


boxes = st.tuples(
    st.floats(-500, 4000, width=32), st.floats(-500, 4000, width=32), st.floats(0, 500), st.floats(0, 500)
)


@given(st.lists(st.lists(boxes, max_size=4), min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path_factory, frames):
    path = tmp_path_factory.getbasetemp() / "written.txt"
    given_ = []
    for k, rows in enumerate(frames):
        xyxy = np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32).reshape(-1, 4)
        ids = np.arange(len(rows), dtype=np.int64) + 10 * k
        given_.append(Detections(xyxy, np.full(len(rows), 0.5, np.float32), np.zeros(len(rows), np.int32), ids))
    write_tracks(path, given_)
    for frame, again in zip(given_, read_tracks(path, length=len(frames)), strict=True):
        assert again.track_ids.tolist() == frame.track_ids.tolist()
        np.testing.assert_allclose(again.boxes_xyxy, frame.boxes_xyxy, atol=0.0015)
        np.testing.assert_allclose(again.scores, frame.scores, atol=1e-4)


def test_what_has_no_track_is_not_written(tmp_path):
    boxes_xyxy = np.array([[0, 0, 9, 9], [5, 5, 9, 9]], np.float32)
    frame = Detections(boxes_xyxy, np.ones(2, np.float32), np.zeros(2, np.int32), np.array([-1, 3]))
    write_tracks(tmp_path / "a.txt", [frame])
    assert (tmp_path / "a.txt").read_text() == "1,3,5.000,5.000,4.000,4.000,1.0000,-1,-1,-1\n"
    with pytest.raises(SinkError, match="cannot write"):
        write_tracks(tmp_path, [frame])


GOOD = "1,1,0,0,9,9,1,-1,-1,-1\n"
BAD = [
    pytest.param(GOOD + "1,2,0,0,9\n", "line 2: 5 columns: expected lines of frame,identity", id="few columns"),
    pytest.param(GOOD + "\n1,2,0,0,9,9,1\n", "line 3: 7 columns where the lines before have 10", id="other columns"),
    pytest.param("1,2,0\n", "line 1: 3 columns", id="few columns everywhere"),
    pytest.param("frame,id,x,y,w,h,s\n" + GOOD, "line 1: not numbers between commas", id="header"),
    pytest.param("1 1 0 0 9 9 1\n", "line 1: not numbers between commas", id="blanks"),
    pytest.param("0,1,0,0,9,9,1\n", "line 1: the first column is the frame, counted from 1", id="frame 0"),
    pytest.param("1.5,1,0,0,9,9,1\n", "the frame, counted from 1", id="half a frame"),
    pytest.param("1e9,1,0,0,9,9,1\n", "line 1: a frame beyond the last", id="huge frame"),
    pytest.param(GOOD + "2,1,0,nan,9,9,1,-1,-1,-1\n", "line 2: a number that is not finite", id="NaN"),
    pytest.param("1,1,0,inf,9,9,1\n", "not finite", id="infinite"),
    pytest.param("1,1,0,0,1e9,9,1\n", "beyond a million pixels", id="far"),
    pytest.param("1,1,50,50,-9,9,1\n", "negative width or height", id="negative size"),
    pytest.param(GOOD + GOOD, "identity 1 is twice in frame 1", id="twice"),
    pytest.param("1,-1,0,0,9,9,1\n", "a box of frame 1 has no identity", id="no identity"),
    pytest.param("1,1.5,0,0,9,9,1\n", "whole numbers", id="half an identity"),
    pytest.param(b"\xff\xfe\x00\x81", "is not a text file", id="bytes"),
    pytest.param(b"\x89PNG\r\n\x1a\n\x00", "is not a text file", id="picture"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_files(file, text, message):
    for read in (read_tracks, read_ground_truth):
        with pytest.raises(UsageError, match=message) as caught:
            read(file(text))
        assert "a.txt" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_files_that_do_not_belong_together(file):
    with pytest.raises(UsageError, match="line 1: a frame beyond the last, 5: do the files belong together"):
        read_tracks(file("6,1,0,0,9,9,1\n"), length=5)


@pytest.mark.parametrize("text", ["", "1,1,0,0,9,9,0,-1,-1,-1\n", "1,1,0,0,9,9,0,7,1\n"])
def test_truth_in_which_nothing_counts(file, text):
    with pytest.raises(UsageError, match="there is no object that counts in it"):
        read_ground_truth(file(text))


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_ground_truth(tmp_path / "no.txt")
    with pytest.raises(UsageError, match="is a folder"):
        read_ground_truth(tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        read_ground_truth(tmp_path / ("x" * 3000))


INFO = "[Sequence]\nname=Street\nimDir=img1\nframeRate=25\nseqLength=71\n"


def test_sequences_as_motchallenge_packs_them_and_flat(file, tmp_path):
    for name in ("packed/gt/gt.txt", "packed/det/det.txt", "flat/gt.txt", "bare/det/det.txt", "other/readme.txt"):
        file(GOOD, name)
    file(INFO, "packed/seqinfo.ini")
    found, without_truth = find_sequences(tmp_path)
    assert [(f.name, f.fps, f.length) for f in found] == [("flat", 0, 0), ("Street", 25, 71)]
    assert found[0].detections is None
    assert found[1].detections == tmp_path / "packed/det/det.txt"
    assert without_truth == ["bare"]
    assert find_sequences(tmp_path / "packed") == ([found[1]], [])
    assert info_beside(tmp_path / "packed/det/det.txt").fps == 25
    assert info_beside(tmp_path / "flat/gt.txt").fps == 0


def test_folders_without_sequences(tmp_path):
    with pytest.raises(UsageError, match=r"no sequence with truth: expected NAME/gt/gt\.txt"):
        find_sequences(tmp_path)
    with pytest.raises(UsageError, match="there is no such folder"):
        find_sequences(tmp_path / "no")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "not a seqinfo.ini", id="empty"),
        pytest.param("frameRate=25", "not a seqinfo.ini", id="no section"),
        pytest.param(INFO.replace("25", "fast"), "not a seqinfo.ini", id="no number"),
        pytest.param(INFO.replace("25", "nan"), "cannot be", id="NaN"),
        pytest.param(INFO.replace("71", "-1"), "cannot be", id="negative"),
        pytest.param(b"\xff\xfe\x00", "not a seqinfo.ini", id="bytes"),
        pytest.param(INFO.replace("71", "99999999999"), "seqLength 99999999999 cannot be", id="frames without end"),
        pytest.param(INFO.replace("Street", "../../Street"), "cannot be that of a file", id="way out of the folder"),
        pytest.param(INFO.replace("Street", "C:Street"), "cannot be that of a file", id="another drive"),
        pytest.param(INFO.replace("Street", ".."), "cannot be that of a file", id="folder above"),
        pytest.param(INFO.replace("Street", "a\x1b[31m"), "cannot be that of a file", id="orders to a terminal"),
    ],
)
def test_bad_info(file, text, message):
    with pytest.raises(UsageError, match=message):
        read_info(file(text, "seqinfo.ini"))
