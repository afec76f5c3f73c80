"""Files of models are whole or not there."""

import os

import pytest

from streamdet.atomic_write import write_files
from streamdet.errors import SinkError


def test_all_are_written_and_nothing_else(tmp_path):
    files = {tmp_path / "net.xml": b"xml", tmp_path / "net.bin": b"bin"}
    for data in (b"old", b"new"):
        write_files({path: content + data for path, content in files.items()})
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == {p: c + data for p, c in files.items()}


def test_the_first_one_gets_its_name_last(tmp_path, monkeypatch):
    names = []
    replace = os.replace

    def noted(part, path):
        assert len([p for p in tmp_path.iterdir() if p.name.endswith(".part")]) == 2 - len(
            names
        )  # all are whole by now
        names.append(path.name)
        replace(part, path)

    monkeypatch.setattr(os, "replace", noted)
    write_files({tmp_path / "net.xml": b"xml", tmp_path / "net.bin": b"bin"})
    assert names == ["net.bin", "net.xml"]


def test_what_was_there_stays_where_one_cannot_be_written(tmp_path):
    first, second = tmp_path / "net.xml", tmp_path / "no" / "net.bin"
    first.write_bytes(b"old")
    with pytest.raises(SinkError, match=rf"cannot write {second}: No such file or directory"):
        write_files({first: b"new", second: b"new"})
    assert first.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.xml"]


def test_ctrl_c_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")

    def interrupted(self, data):
        with self.open("wb") as file:
            file.write(data[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(type(path), "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files({path: b"new"})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
