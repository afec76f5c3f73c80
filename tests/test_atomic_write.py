"""Files are complete or not there."""

import os

import pytest

from streamdet.atomic_write import write_files
from streamdet.errors import SinkError


def test_all_files_are_written_and_no_others(tmp_path):
    files = {tmp_path / "net.xml": b"xml", tmp_path / "net.bin": b"bin"}
    for data in (b"old", b"new"):
        write_files({path: content + data for path, content in files.items()})
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == {p: c + data for p, c in files.items()}


def test_the_first_file_is_renamed_last(tmp_path, monkeypatch):
    names = []
    replace = os.replace

    def recording_replace(part, path):
        assert len([p for p in tmp_path.iterdir() if p.name.endswith(".part")]) == 2 - len(names)  # all are complete
        names.append(path.name)
        replace(part, path)

    monkeypatch.setattr(os, "replace", recording_replace)
    write_files({tmp_path / "net.xml": b"xml", tmp_path / "net.bin": b"bin"})
    assert names == ["net.bin", "net.xml"]


def test_existing_files_are_unchanged_after_an_error(tmp_path):
    first, second = tmp_path / "net.xml", tmp_path / "no" / "net.bin"
    first.write_bytes(b"old")
    with pytest.raises(SinkError, match=rf"cannot write {second}: No such file or directory"):
        write_files({first: b"new", second: b"new"})
    assert first.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.xml"]


def test_existing_files_are_unchanged_after_ctrl_c(tmp_path, monkeypatch):
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
