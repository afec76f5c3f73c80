"""A probe that crashes, hangs or fails is a finding, and takes nothing else along."""

import pytest

from streamdet.doctor import run_probes
from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.run_probes import Probe, run_probes_in_children
from streamdet.errors import StreamdetError

PROBES = """
import ctypes, os, sys, time
from streamdet.doctor.check_result import CheckResult, Status
def probe(what):
    yield CheckResult("first", Status.OK, f"before {what}")
    os.write(1, b"what a library prints on standard output\\n")
    if what == "crash": ctypes.string_at(0)
    if what == "hang": time.sleep(3600)
    if what == "die": sys.stderr.write("last words of rtsp://u:secret@host"); sys.stderr.flush(); os._exit(7)
    if what == "raise": raise LookupError("cannot open rtsp://u:secret@host/1\\nat all")
    yield CheckResult("second", Status.WARN, "\\u00e4, \\"quoted\\"", "fix it")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of looks that children can import too, under streamdet.doctor."""
    (tmp_path / "pretended.py").write_text(PROBES)
    monkeypatch.setattr("sys.path", [str(tmp_path), *run_probes.sys.path])
    code = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import streamdet.doctor as d; "
    code += f"d.__path__.append({str(tmp_path)!r}); from streamdet.doctor.run_probes import child; child(*sys.argv[2:])"
    monkeypatch.setattr(run_probes, "_CHILD", code)
    return "pretended"


def test_findings_come_in_order_and_whole(module):
    found = run_probes_in_children([Probe("a", module, "one"), Probe("b", module, "two")], 60)
    second = CheckResult("second", Status.WARN, 'ä, "quoted"', "fix it")
    first = [CheckResult("first", Status.OK, f"before {what}") for what in ("one", "two")]
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
    found = run_probes_in_children([Probe("bad", module, what, fix="repair it"), Probe("good", module)], 60)
    assert [check.name for check in found] == ["first", "bad", "first", "second"]
    assert found[1].status is Status.FAIL
    assert words in found[1].detail
    assert found[1].fix


def test_a_look_that_hangs_is_given_up(module):
    found = run_probes_in_children([Probe("stuck", module, "hang", fix="pull the plug")], 2)
    assert found[-1] == CheckResult("stuck", Status.FAIL, "no answer within 2 s", "pull the plug")


def test_no_more_processes(monkeypatch):
    monkeypatch.setattr(run_probes.sys, "executable", "/no/such/python")
    with pytest.raises(StreamdetError, match="cannot start a process to probe machine: No such file"):
        run_probes_in_children([Probe("machine", "machine")], 60)


def test_no_more_threads(module, monkeypatch):
    """As where another program has started tens of thousands: told in one line, and no child is left."""
    children = []
    real = run_probes._start
    monkeypatch.setattr(run_probes, "_start", lambda probe: children.append(real(probe)) or children[-1])

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(run_probes.threading.Thread, "start", refuse)
    with pytest.raises(StreamdetError, match="doctor cannot probe a: can't start new thread; end other programs"):
        run_probes_in_children([Probe("a", module, "hang"), Probe("b", module)], 60)
    assert [child.poll() is not None and child.stdout.closed for child in children] == [True]


def test_a_look_that_does_not_exist_is_a_finding():
    (check,) = run_probes.safely("nothing", "no_such_module")
    assert check.status is Status.FAIL
    assert "no_such_module" in check.detail
