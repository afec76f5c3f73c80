"""`streamdet doctor`: its output and exit code."""

import json
import re
from pathlib import Path

import pytest
import typer

from streamdet.cli import doctor as command
from streamdet.cli.main import execute
from streamdet.doctor import PROBES, TIMEOUT_S, CheckResult, Status, run_checks
from streamdet.inference import providers


def test_hints_name_dependencies_of_this_package():
    """A hint cannot name an extra of streamdet, which is not on the package index."""
    dependencies = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for provider in providers.Provider:
        hint = providers.ProviderMissing(provider, "gone").hint
        assert "streamdet[" not in hint
        for package in re.findall(r"pip install \"?([a-z0-9,\[\]-]+)", hint):
            assert f'"{package}>=' in dependencies


def test_every_part_of_the_machine_is_checked():
    checks = {check.name: check for check in run_checks(100)}
    wanted = {"python", "processors", "arithmetic", "package onnxruntime", "package cv2", "opencv", "video"}
    wanted |= {"video encoders", "hardware encoders", "hardware decoders", "windows", "kernel cache", "nvidia gpu"}
    assert wanted | {f"provider {provider.short}" for provider in providers.Provider} <= checks.keys()
    assert checks["python"].status is Status.OK
    assert checks["provider cpu"].status is Status.OK
    assert "264" in checks["video encoders"].detail
    for check in checks.values():
        assert "\n" not in check.detail + check.fix
        assert check.fix or check.status in (Status.OK, Status.ABSENT), check


def test_every_probe_that_can_crash_has_a_fix():
    assert [probe.name for probe in PROBES if not probe.fix] == ["machine", "packages"]


@pytest.fixture
def set_results(monkeypatch):
    """Returns a function that replaces the results of the probes."""
    return lambda *checks: monkeypatch.setattr(command, "run_checks", lambda timeout_s: list(checks))


WINDOWS = CheckResult("windows", Status.ABSENT, "no screen [here]", "buy one")
VIDEO = CheckResult("video", Status.FAIL, "no FFmpeg", "pip install av", 0.25)


def test_one_line_per_result_without_a_terminal(set_results, capsys):
    set_results(WINDOWS, CheckResult("cameras", Status.ABSENT, "none, " * 50))
    command.doctor()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "-     windows  no screen [here]  → buy one"
    assert lines[1].startswith("-     cameras  none, none")
    assert lines[1].count("none,") == 50
    assert "Nothing to do." in lines


def test_table_on_a_terminal(set_results, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    set_results(WINDOWS, CheckResult("cameras", Status.ABSENT, "word " * 20 + "end", "buy one"))
    command.doctor()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    lines = [line.rstrip() for line in plain.splitlines()]
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["-", "windows", "no", "screen", "[here]"]
    assert sum("→ buy one" in line for line in lines) == 1, "a fix that two consecutive results share is printed once"


def test_a_broken_part_is_exit_code_1(set_results, capsys):
    set_results(VIDEO)
    with pytest.raises(typer.Exit) as stop:
        command.doctor()
    assert stop.value.exit_code == 1
    out = capsys.readouterr().out
    assert "Broken: video." in out
    assert "Best step: pip install av" in out
    assert "longest: video 0.2 s" in out


@pytest.mark.parametrize(("check", "code"), [(WINDOWS, 0), (VIDEO, 1)], ids=["absent", "broken"])
def test_json_output(set_results, capsys, check, code):
    set_results(check)
    assert execute(["doctor", "--json"]) == code
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert found["format"] == 1
    assert found["took_s"] >= 0
    assert found["checks"] == [
        {
            "name": check.name,
            "status": check.status.name.lower(),
            "detail": check.detail,
            "fix": check.fix,
            "took_s": check.took_s,
        }
    ]
    assert found["verdict"].keys() == {"provider", "summary", "best_step", "broken"}
    assert found["verdict"]["broken"] == ([check.name] if code else [])


def test_timeout_option(monkeypatch, capsys):
    limits = []
    monkeypatch.setattr(command, "run_checks", lambda timeout_s: limits.append(timeout_s) or [WINDOWS])
    assert execute(["doctor", "--timeout", "3"]) == execute(["doctor"]) == 0
    assert limits == [3, TIMEOUT_S]
    assert execute(["doctor", "--timeout", "0"]) == 2
