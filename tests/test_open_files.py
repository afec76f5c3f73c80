"""The check for open files, which `conftest.py` applies to every test."""

import os
import socket

import pytest

from tests.open_files import DESCRIPTORS, left_open, open_files

pytestmark = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="lists file descriptors in /proc")


def test_an_open_file_is_found(tmp_path):
    before = open_files()
    descriptor = os.open(tmp_path / "a", os.O_CREAT)
    try:
        assert left_open(before, patience_s=0) == [str(tmp_path / "a")]
    finally:
        os.close(descriptor)
    assert left_open(before) == []


def test_an_open_socket_is_found():
    before = open_files()
    with socket.socket():
        (target,) = left_open(before, patience_s=0)
    assert target.startswith("socket:")
    assert left_open(before) == []


def test_a_second_descriptor_of_the_same_file_is_found(tmp_path):
    with (tmp_path / "a").open("w"):
        before = open_files()
        with (tmp_path / "a").open():
            assert left_open(before, patience_s=0) == [str(tmp_path / "a")]


def test_a_pipe_in_a_reference_cycle_is_collected():
    before = open_files()

    class Pipe:
        def __init__(self):
            self.descriptors = os.pipe()
            self.itself = self

        def __del__(self):
            for descriptor in self.descriptors:
                os.close(descriptor)

    Pipe()
    assert left_open(before) == []


def test_what_libraries_keep_is_no_leak():
    before = open_files()
    with open(os.devnull):
        assert left_open(before, patience_s=0) == []
