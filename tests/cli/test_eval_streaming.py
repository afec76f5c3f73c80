"""`streamdet eval streaming` on the command line."""

import json

import cv2
import pytest
from typer.testing import CliRunner

from streamdet.cli.eval import app
from streamdet.errors import UsageError

STREET = "synthetic:street?frames=20&objects=6&size=640x360"


def run(*arguments):
    result = CliRunner().invoke(app, ["streaming", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_writes_a_table_a_report_and_a_plot(tmp_path):
    files = ["--report", tmp_path / "s.json", "--plot", tmp_path / "s.png"]
    text = run(STREET, "--rates", "5,10", "--latency", "100,200", "--delay", "0.5", "-q", *files)
    for words in ("hold-last", "live", "smooth", "every-frame", "the scene's ground truth", "5 per second", "200 ms"):
        assert words in text
    assert f"wrote {tmp_path / 's.json'}" in text
    report = json.loads((tmp_path / "s.json").read_text())
    assert len(report["scores"]) == 2 * 2 * 4
    live = next(row for row in report["scores"] if row["mode"] == "live")
    assert 0 < live["quality"] <= 1
    assert live["setting"] == {"rate_hz": 5, "latency_s": 0.1, "delay_s": 0.5}
    smooth = [row for row in report["scores"] if row["mode"] == "smooth"]
    assert all(row["delay_s"] == 0.5 for row in smooth)
    picture = cv2.imread(str(tmp_path / "s.png"))
    assert picture.shape[1] > picture.shape[0] > 300
    assert picture.std() > 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rates", "fast"], "--rates 'fast': expected numbers such as 2,5,10"),
        (["--rates", "0"], "--rates '0': must be from 0.05 to 240"),
        (["--rates", "5", "--latency", "-1"], "--latency '-1': must be from 0 to 10000"),
        (["--rates", "5", "--latency", "nan"], "--latency 'nan': must be from 0 to 10000"),
        (["--rates", ",".join(map(str, range(1, 80)))], "79 pairs of rate and latency are too many: give 64 at most"),
    ],
)
def test_invalid_numbers_are_rejected(arguments, words):
    with pytest.raises(UsageError, match=words):
        run(STREET, *arguments)


def test_two_outputs_with_one_name_are_rejected(tmp_path):
    with pytest.raises(UsageError, match="name the same file"):
        run(STREET, "--report", tmp_path / "a.png", "--plot", tmp_path / "a.png")


def test_report_does_not_overwrite_the_source_video(tmp_path):
    from tests.sources.clips import encode

    clip = encode(tmp_path / "clip.mp4", 4, (64, 48))
    with pytest.raises(UsageError, match="is the file being read"):
        run(clip, "-m", "synthetic-shapes", "--report", clip)
