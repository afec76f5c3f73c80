"""A look that crashes, hangs or fails is a finding, and takes nothing else along."""

import pytest

from streamdet.doctor import isolated
from streamdet.doctor.findings import Check, Status
from streamdet.doctor.isolated import Look, examine_isolated
from streamdet.errors import StreamdetError

LOOKS = """
import ctypes, os, sys, time
from streamdet.doctor.findings import Check, Status
def look(what):
    yield Check("first", Status.OK, f"before {what}")
    os.write(1, b"what a library prints on standard output\\n")
    if what == "crash": ctypes.string_at(0)
    if what == "hang": time.sleep(3600)
    if what == "die": sys.stderr.write("last words of rtsp://u:secret@host"); sys.stderr.flush(); os._exit(7)
    if what == "raise": raise LookupError("cannot open rtsp://u:secret@host/1\\nat all")
    yield Check("second", Status.WARN, "\\u00e4, \\"quoted\\"", "fix it")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of looks that children can import too, under streamdet.doctor."""
    (tmp_path / "pretended.py").write_text(LOOKS)
    monkeypatch.setattr("sys.path", [str(tmp_path), *isolated.sys.path])
    code = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import streamdet.doctor as d; "
    code += f"d.__path__.append({str(tmp_path)!r}); from streamdet.doctor.isolated import child; child(*sys.argv[2:])"
    monkeypatch.setattr(isolated, "_CHILD", code)
    return "pretended"


def test_findings_come_in_order_and_whole(module):
    found = examine_isolated([Look("a", module, "one"), Look("b", module, "two")], 60)
    second = Check("second", Status.WARN, 'ä, "quoted"', "fix it")
    first = [Check("first", Status.OK, f"before {what}") for what in ("one", "two")]
    assert found == [first[0], second, first[1], second]
    assert all(check.took_s >= 0 for check in found)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("crash", "crashes (SIGSEGV)"),
        ("die", "ended with code 7: last words of rtsp://***@host"),
        ("raise", "LookupError: cannot open rtsp://***@host/1 at all"),
    ],
)
def test_a_look_that_ends_badly(module, what, words):
    found = examine_isolated([Look("bad", module, what, fix="repair it"), Look("good", module)], 60)
    assert [check.name for check in found] == ["first", "bad", "first", "second"]
    assert found[1].status is Status.FAIL
    assert words in found[1].detail
    assert found[1].fix


def test_a_look_that_hangs_is_given_up(module):
    found = examine_isolated([Look("stuck", module, "hang", fix="pull the plug")], 2)
    assert found[-1] == Check("stuck", Status.FAIL, "no answer within 2 s", "pull the plug")


def test_no_more_processes(monkeypatch):
    monkeypatch.setattr(isolated.sys, "executable", "/no/such/python")
    with pytest.raises(StreamdetError, match="cannot start a process to look at machine: No such file"):
        examine_isolated([Look("machine", "machine")], 60)


def test_no_more_threads(module, monkeypatch):
    """As where another program has started tens of thousands: told in one line, and no child is left."""
    children = []
    real = isolated._start
    monkeypatch.setattr(isolated, "_start", lambda look: children.append(real(look)) or children[-1])

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(isolated.threading.Thread, "start", refuse)
    with pytest.raises(StreamdetError, match="doctor cannot look at a: can't start new thread; end other programs"):
        examine_isolated([Look("a", module, "hang"), Look("b", module)], 60)
    assert [child.poll() is not None and child.stdout.closed for child in children] == [True]


def test_a_look_that_does_not_exist_is_a_finding():
    (check,) = isolated.safely("nothing", "no_such_module")
    assert check.status is Status.FAIL
    assert "no_such_module" in check.detail
