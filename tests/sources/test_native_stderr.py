"""Capturing what native libraries print to standard error."""

import os
import threading

import pytest

from streamdet.sources.native_stderr import caught_codec_messages


def test_only_messages_of_decoders_are_captured(capfd):
    messages = []
    with caught_codec_messages(messages):
        os.write(2, b"libpng warning: iCCP: known incorrect sRGB profile\nanother thread\n")
        os.write(2, b"Corrupt JPEG data: 2 extraneous bytes before marker 0xd9\n[ WARN:0@0.4] global x.cpp:1 y\n")
    os.write(2, b"later\n")
    assert messages == [
        "libpng warning: iCCP: known incorrect sRGB profile",
        "Corrupt JPEG data: 2 extraneous bytes before marker 0xd9",
        "[ WARN:0@0.4] global x.cpp:1 y",
    ]
    assert capfd.readouterr().err == "another thread\nlater\n"


def test_exceptions_pass_and_standard_error_is_restored(capfd):
    def fail() -> None:
        with caught_codec_messages([]):
            os.write(2, b"before\n")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_threads_wait_for_each_other_and_no_output_is_lost(capfd):
    def work() -> None:
        for _ in range(50):
            with caught_codec_messages([]):
                os.write(2, b"line\n")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capfd.readouterr().err == "line\n" * 200


def test_no_descriptor_stays_open():
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        pytest.skip("descriptors are counted through /proc")
    before = len(os.listdir(folder))
    for _ in range(20):
        with caught_codec_messages([]):
            pass
    assert len(os.listdir(folder)) == before
