"""YAML files of keys and values: their content, refused constructs, and memory bounded by the file's length."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamdet.errors import ConfigError
from streamdet.yaml_file import read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def read(folder, text: str | bytes, max_bytes: int = 100_000):
    path = folder / "some.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path, max_bytes)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param("# only a comment\n", {}, id="comment"),
        pytest.param("a: 1\nb: {c: [1.5, x, true, null]}", {"a": 1, "b": {"c": [1.5, "x", True, None]}}, id="values"),
        pytest.param(
            "a: 18446744073709551615\nb: -0.1234567890123456", {"a": 2**64 - 1, "b": -0.1234567890123456}, id="numbers"
        ),
        pytest.param("a: '*b'\nc: '!d'", {"a": "*b", "c": "!d"}, id="quoted symbols are text"),
        pytest.param("a: '" + "9" * 50_000 + "'", {"a": "9" * 50_000}, id="a long text of digits"),
    ],
)
def test_content_is_read(tmp_path, text, content):
    assert read(tmp_path, text) == content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(BOMB, "aliases (*name) are not supported", id="alias bomb"),
        pytest.param("a: &a [*a]", "aliases (*name) are not supported", id="contains itself"),
        pytest.param("a: {<<: *x}", "aliases (*name) are not supported", id="merge"),
        pytest.param("a: !!python/object/apply:os.system [true]", "tags (!name) are not supported", id="code"),
        pytest.param("a: !!timestamp soon", "tags (!name) are not supported", id="unsupported tag"),
        pytest.param("a: 0x" + "f" * 50_000, "a number has 50002 digits", id="number that cannot be printed"),
        pytest.param("a: 1" + "9" * 50_000, "a number has 50001 digits", id="number that cannot be read"),
        pytest.param("a: 1" + ":59" * 500 + ".5", "a number has 1503 digits", id="float out of range"),
        pytest.param("a: 2001-99-99", "is not valid YAML: month must be in", id="date"),
        pytest.param("[" * 20_000, "is not valid YAML: nested too deeply", id="deep"),
        pytest.param("a: [1,\nb", "is not valid YAML", id="broken"),
        pytest.param(b"a: \xff\xfe\xfa", "is not valid YAML", id="not text"),
        pytest.param("a: \0", "is not valid YAML", id="control character"),
        pytest.param("? [a]: b", "is not valid YAML", id="list as key"),
        pytest.param("- a\n- b", "must hold keys and values at the top", id="list"),
        pytest.param("a", "must hold keys and values at the top", id="text"),
        pytest.param("#" * 100_001, "is too long: at most 100000 bytes are read", id="long"),
        pytest.param("a: [rtsp://me:hunter2@h/x\nb: ]:", "is not valid YAML", id="password"),
    ],
)
def test_constructs_are_refused(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    shown = str(caught.value)
    assert message in shown
    assert str(tmp_path / "some.yaml") in shown
    assert "\n" not in shown
    assert "hunter2" not in shown
    assert len(shown) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["none.yaml", "folder"])
def test_unreadable_files_are_errors(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=f"cannot read .*{name}: ."):
        read_yaml(tmp_path / name, 100)


def test_an_endless_file_is_read_up_to_the_limit():
    if not os.path.exists("/dev/zero"):
        pytest.skip("no endless file here")
    with pytest.raises(ConfigError, match="is too long"):
        read_yaml(Path("/dev/zero"), 100)


@given(text=st.text(st.sampled_from("ab01x:.,-?!&*|>%@`'\"{}[]#~<=_ \n\t"), max_size=24))
@example("a: !!int ''")
@example("a: 0x_")
@example("a: 0001-01-01 00:00:00 +99:00")
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    answer = ""
    try:
        read(tmp_path_factory.getbasetemp(), text)
    except ConfigError as error:
        answer = str(error)
    assert "\n" not in answer
