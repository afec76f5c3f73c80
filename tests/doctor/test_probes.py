"""A probe that crashes, hangs or raises is a failed result and does not affect the other probes."""

import sys

import pytest

from streamdet import isolation
from streamdet.doctor import probes
from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.probes import Probe, probe_safely, run_probes
from streamdet.errors import StreamdetError

PROBE = """
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
    """A module with a probe, which children can import too."""
    (tmp_path / "probes_of_this_test").mkdir()
    (tmp_path / "probes_of_this_test" / "pretended.py").write_text(PROBE)
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(probes, "_PACKAGE", "probes_of_this_test")
    return "pretended"


def test_results_are_complete_and_in_order(module):
    found = run_probes([Probe("a", module, "one"), Probe("b", module, "two")], 60)
    second = CheckResult("second", Status.WARN, 'ä, "quoted"', "fix it")
    first = [CheckResult("first", Status.OK, f"before {what}") for what in ("one", "two")]
    assert found == [first[0], second, first[1], second]
    assert all(check.took_s >= 0 for check in found)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("crash", "crashed (SIGSEGV)"),
        ("die", "ended with code 7: last words of rtsp://***@host"),
        ("raise", "LookupError: cannot open rtsp://***@host/1 at all"),
    ],
)
def test_a_probe_that_fails_is_a_failed_result(module, what, words):
    found = run_probes([Probe("bad", module, what, fix="repair it"), Probe("good", module)], 60)
    assert [check.name for check in found] == ["first", "bad", "first", "second"]
    assert found[1].status is Status.FAIL
    assert words in found[1].detail
    assert found[1].fix


def test_a_probe_that_hangs_is_given_up(module):
    found = run_probes([Probe("stuck", module, "hang", fix="pull the plug")], 2)
    assert found[-1] == CheckResult("stuck", Status.FAIL, "no answer within 2 s", "pull the plug")


def test_no_more_processes(monkeypatch):
    monkeypatch.setattr(isolation.sys, "executable", "/no/such/python")
    with pytest.raises(StreamdetError, match="cannot start a process for the probe machine: No such file"):
        run_probes([Probe("machine", "machine")], 60)


def test_no_more_threads(module, monkeypatch):
    """As when another program has started tens of thousands: reported in one line, and no child is left."""
    children = []
    real = isolation.subprocess.Popen
    monkeypatch.setattr(isolation.subprocess, "Popen", lambda *a, **k: children.append(real(*a, **k)) or children[-1])

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(isolation.threading.Thread, "start", refuse)
    with pytest.raises(StreamdetError, match="doctor cannot run the probe a: can't start new thread; end other prog"):
        run_probes([Probe("a", module, "hang"), Probe("b", module)], 60)
    assert [child.poll() is not None and child.stdout.closed for child in children] == [True]


def test_a_module_that_does_not_exist_is_a_failed_result():
    (check,) = probe_safely("nothing", "streamdet.doctor.no_such_module")
    assert check.status is Status.FAIL
    assert "no_such_module" in check.detail
