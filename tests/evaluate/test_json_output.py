"""JSON that every program reads."""

import json

import pytest

from streamdet.cli.main import execute
from streamdet.errors import SinkError
from streamdet.evaluate.json_output import json_text, plain, write_json


def strict(text):
    """Reads JSON as others do: with Python's, NaN would pass."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_what_cannot_be_said_is_null_however_deep():
    data = {"a": [1, float("nan"), {"b": (float("inf"), -0.5)}], "c": "nan", "d": None, "e": True}
    assert plain(data) == {"a": [1, None, {"b": [None, -0.5]}], "c": "nan", "d": None, "e": True}
    assert strict(json_text(data)) == plain(data)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    write_json({"ap": float("nan")}, tmp_path / "a.json")
    assert strict((tmp_path / "a.json").read_text()) == {"ap": None}
    with pytest.raises(SinkError, match="cannot write"):
        write_json({}, tmp_path)


def test_a_street_without_objects_of_a_class_is_json_too(capsys):
    asked = ["--scenes", "1", "--tracked", "0", "--least-visible", "1", "-d", "cpu", "--json"]
    assert execute(["eval", "street", *asked]) == 0
    said = strict(capsys.readouterr().out)
    assert [row["ap"] for row in said["classes"] if not row["objects"]] == [None]
