"""`streamdet eval mot` on the command line."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from streamdet.cli.eval import app
from streamdet.errors import SinkError, UsageError

INFO = "[Sequence]\nname={}\nframeRate=10\nseqLength=8\n"


def run(*arguments):
    result = CliRunner().invoke(app, ["mot", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def walkers(identities, frames=8):
    """Returns a MOTChallenge file of objects that walk side by side; detections have the identity -1."""
    rows = []
    for frame in range(1, frames + 1):
        for x, identity in enumerate(identities):
            rows.append(f"{frame},{identity},{200 * x + 2 * frame},50,40,100,0.9,-1,-1,-1")
    return "\n".join(rows) + "\n"


@pytest.fixture
def challenge(tmp_path):
    """A folder with two sequences, one in MOTChallenge's layout and one flat."""
    for name, inner in (("A", ("gt/gt", "det/det")), ("B", ("gt", "det"))):
        for path, identities in zip(inner, ((4, 7), (-1, -1)), strict=True):
            file = tmp_path / name / f"{path}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(walkers(identities))
        (tmp_path / name / "seqinfo.ini").write_text(INFO.format(name))
    return tmp_path


def row(text, name):
    """Returns a row of the printed table as column name -> text."""
    head = next(line for line in text.splitlines() if line.startswith("sequence"))
    line = next(line for line in text.splitlines() if line.startswith(name))
    return dict(zip(head.split()[1:], line.removeprefix(name).split(), strict=True))


def test_tracker_on_a_folder_of_sequences(challenge, tmp_path):
    results = tmp_path / "tracks"
    results.mkdir()
    text = run(challenge, "--results", results, "--report", tmp_path / "report.json")
    for name in ("A", "B", "all together"):
        assert row(text, name)["HOTA"] == "100.000"
        assert row(text, name)["MOTA"] == "100.000"
    assert row(text, "all together")["truth"] == "4"
    assert "A: the tracker took" in text
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["combined"]["mota"] == 1
    assert list(report["sequences"]) == ["A", "B"]
    assert report["sequences"]["B"]["tracker_us_per_frame"] > 0
    assert report["tracker"]["high_score"] == 0.5
    again = row(run(challenge, "--tracks", results), "all together")
    assert again | {"MOTP": ""} == row(text, "all together") | {"MOTP": ""}, "equal except for rounding"


def test_tracks_of_another_tracker(challenge, tmp_path):
    tracks = tmp_path / "out.txt"
    tracks.write_text(walkers((1, 2), frames=4))
    text = run("--truth", challenge / "A/gt/gt.txt", "--tracks", tracks, "--report", tmp_path / "report.json")
    assert (row(text, "A")["FN"], row(text, "A")["MOTA"]) == ("8", "50.000")
    assert "the tracker took" not in text
    assert json.loads((tmp_path / "report.json").read_text())["tracker"] is None


def test_json_lines_of_a_run_as_tracks(challenge, tmp_path):
    lines = []
    for index in range(8):
        boxes = [[200 * x + 2 * (index + 1), 50, 200 * x + 2 * (index + 1) + 40, 150] for x in range(2)]
        objects = [{"box_xyxy": box, "score": 0.9, "track_id": 5 + x} for x, box in enumerate(boxes)]
        lines.append(json.dumps({"source": "cam", "index": index, "detections": objects}))
    (tmp_path / "run.jsonl").write_text("\n".join(lines))
    text = run(challenge / "A", "--tracks", tmp_path / "run.jsonl")
    assert row(text, "A")["HOTA"] == "100.000"


def test_detections_with_frame_rate_and_scores(tmp_path):
    (tmp_path / "gt.txt").write_text(walkers((4, 7)))
    (tmp_path / "det.txt").write_text(walkers((-1, -1)).replace(",0.9,", ",0.3,"))
    files = ("--truth", tmp_path / "gt.txt", "--detections", tmp_path / "det.txt")
    with pytest.raises(UsageError, match="the frame rate is unknown: give --fps"):
        run(*files)
    name = tmp_path.name
    assert row(run(*files, "--fps", 10), name)["FN"] == "16", "a score of 0.3 is below the default threshold"
    assert row(run(*files, "--fps", 10, "--conf", 0.25), name)["FN"] == "0"
    assert row(run(*files, "--fps", 10, "--score-range", "0,0.31"), name)["FN"] == "0"


def without_ground_truth_of_the_others(mot, name, folder):
    """Returns a copy of a folder of sequences in which only `name` has ground truth."""
    for path in mot.glob("*/*.*"):
        if path.name != "gt.txt" or path.parent.name == name:
            (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / path.parent.name / path.name)
    return folder


def test_tud_campus(data_dir, tmp_path):
    mot = data_dir / "mot"
    tracks = mot / "sort_reference_output" / "TUD-Campus.txt"
    text = run("--truth", mot / "TUD-Campus" / "gt.txt", "--tracks", tracks)
    assert row(text, "TUD-Campus")["HOTA"] == "45.257"
    text = run(without_ground_truth_of_the_others(mot, "TUD-Campus", tmp_path / "mot"))
    assert "skipped, without ground truth: ADL-Rundle-6, ETH-Sunnyday, KITTI-17, PETS09-S2L1" in text
    assert float(row(text, "TUD-Campus")["IDF1"]) > 60.6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("", "give either a folder", id="no argument"),
        pytest.param("{0} --truth {0}/B/gt.txt", "give either a folder", id="folder and truth"),
        pytest.param("--truth {0}/B/gt.txt", "--truth needs --tracks", id="truth only"),
        pytest.param(
            "--truth {0}/B/gt.txt --tracks {0}/o --detections {0}/B/det.txt",
            "give either --tracks",
            id="tracks and detections",
        ),
        pytest.param("{0} --detections {0}/B/det.txt", "a folder has its own detections", id="folder and detections"),
        pytest.param(
            "{0} --tracks {0}/out.txt", "has 2 sequences: give --tracks a folder", id="one track file for two sequences"
        ),
        pytest.param("{0} --tracks {0}/A", "/A/A.txt: no such file", id="missing track file"),
        pytest.param(
            "{0}/B --results {0}/x.txt --report {0}/x.txt", "name the same file", id="same file for two outputs"
        ),
        pytest.param("{0}/B --results {0}/B/det.txt", "is the file being read", id="input as output"),
        pytest.param("{0}/B --score-range 1", "expected two numbers", id="score range of one number"),
        pytest.param("{0}/B --score-range 1,0", "must be less than the second", id="reversed score range"),
        pytest.param("{0}/no", "there is no such folder", id="missing folder"),
    ],
)
def test_usage_errors(challenge, arguments, message):
    with pytest.raises(UsageError, match=message):
        run(*arguments.format(challenge).split())


def test_missing_folder_for_tracks_is_an_error(challenge, tmp_path):
    with pytest.raises(SinkError, match="there is no folder"):
        run(challenge, "--results", tmp_path / "no")
