"""`streamdet bench`, and the options of `run` that limit when and where detection runs."""

import pytest

from streamdet.cli.main import execute


@pytest.mark.parametrize(
    ("argv", "code", "expected"),
    [
        (["bench", "capacity", "-m", "x.onnx", "--size", "big"], 2, "--size 'big' is not a video size"),
        (
            ["bench", "capacity", "-m", "x.onnx", "--size", "641x480"],
            2,
            "give WIDTHxHEIGHT, both even, for example 1280x720",
        ),
        (["bench", "capacity"], 2, "Missing option '--model'"),
        (["bench", "pipeline", "-m", "no_such.onnx", "--frames", "10"], 2, "no model 'no_such.onnx'"),
        (["bench", "everything"], 2, "No such command 'everything'"),
        (["run", "synthetic:", "--region", "0,0,1"], 2, "--region '0,0,1' is not four numbers"),
        (["run", "synthetic:", "--region", "0.5,0,0.5,1"], 2, "detect.region must be left, top, right, bottom"),
        (["run", "synthetic:", "--detect-hz", "-2"], 2, "detect.max_hz must be 0 (no limit) or more, got -2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_usage_error_is_one_line(argv, code, expected, capfd):
    assert execute(argv) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1


def test_frames_that_were_not_inferred_are_reported(capfd):
    url = "synthetic:?frames=30&size=320x240&fps=10"
    assert execute(["run", url, "-o", "null:", "--detect-hz", "2", "--region", "0,0,1,0.5", "--provider", "cpu"]) == 0
    err = capfd.readouterr().err
    assert "6 inferred" in err
    assert "not inferred: rate 24" in err


def test_bench_draw_prints_a_table(capfd):
    assert execute(["bench", "draw", "-n", "1"]) == 0
    out = capfd.readouterr().out
    assert "candidate" in out
    assert "vs. streamdet" in out
