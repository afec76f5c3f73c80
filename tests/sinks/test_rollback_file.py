"""The file that rolls back to its last commit when a write fails."""

import errno
import os

import pytest

from streamdet.sinks.rollback_file import RollbackFile


def test_writes_and_seeks(tmp_path):
    file = RollbackFile(tmp_path / "f", overwrite=True)
    assert file.write(b"hello") == 5
    assert file.seek(1) == 1
    file.write(b"E")
    assert file.tell() == 2
    file.close()
    file.close()
    assert (tmp_path / "f").read_bytes() == b"hEllo"


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:2]))
    file = RollbackFile(tmp_path / "f", overwrite=True)
    file.write(b"hello")
    file.close()
    assert (tmp_path / "f").read_bytes() == b"hello"


def test_a_failed_write_rolls_back_to_the_last_commit(tmp_path, monkeypatch):
    real = os.write

    def full(descriptor, data):
        if os.fstat(descriptor).st_size >= 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:3])

    monkeypatch.setattr(os, "write", full)
    file = RollbackFile(tmp_path / "f", overwrite=True)
    file.write(b"hello")
    file.commit()
    with pytest.raises(OSError, match="No space left"):
        file.write(b"world!!!!")
    assert file.closed
    file.commit()
    for use in (lambda: file.write(b"x"), lambda: file.seek(0), file.tell):
        with pytest.raises(OSError, match="No space left"):
            use()
    file.close()
    assert (tmp_path / "f").read_bytes() == b"hello"


def test_without_overwrite_an_existing_file_is_an_error(tmp_path):
    (tmp_path / "f").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        RollbackFile(tmp_path / "f", overwrite=False)
    assert (tmp_path / "f").read_bytes() == b"precious"


def test_close_refuses_further_writes(tmp_path):
    file = RollbackFile(tmp_path / "f", overwrite=True)
    assert not file.closed
    file.close()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.write(b"x")
