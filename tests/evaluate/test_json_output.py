"""Strict JSON output."""

import json

import pytest

from streamdet.cli.main import execute
from streamdet.errors import SinkError
from streamdet.evaluate.json_output import json_text, without_nan, write_json


def strict(text):
    """Parses JSON strictly: Python's default would accept NaN."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_nan_and_infinity_become_null_at_any_depth():
    data = {"a": [1, float("nan"), {"b": (float("inf"), -0.5)}], "c": "nan", "d": None, "e": True}
    assert without_nan(data) == {"a": [1, None, {"b": [None, -0.5]}], "c": "nan", "d": None, "e": True}
    assert strict(json_text(data)) == without_nan(data)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    write_json({"ap": float("nan")}, tmp_path / "a.json")
    assert strict((tmp_path / "a.json").read_text()) == {"ap": None}
    with pytest.raises(SinkError, match="cannot write"):
        write_json({}, tmp_path)


def test_a_street_without_objects_of_a_class_is_strict_json(capsys):
    options = ["--scenes", "1", "--tracked", "0", "--least-visible", "1", "-d", "cpu", "--json"]
    assert execute(["eval", "street", *options]) == 0
    printed = strict(capsys.readouterr().out)
    assert [row["ap"] for row in printed["classes"] if not row["objects"]] == [None]
