"""doctor: what it says is true, and a broken part does not silence the others."""

import json
import re
from pathlib import Path

import pytest
import typer

from streamdet import doctor
from streamdet.cli import doctor as command
from streamdet.cli.main import execute
from streamdet.detect import providers
from streamdet.doctor import Check, Status, examine, safely


def test_hints_name_packages_that_this_one_lists():
    """A hint to install an extra of this package would need it to be on the package index."""
    listed = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for provider in providers.Provider:
        hint = providers.ProviderMissing(provider, "gone").hint
        assert "streamdet[" not in hint
        for package in re.findall(r"pip install \"?([a-z0-9,\[\]-]+)", hint):
            assert f'"{package}>=' in listed


@pytest.fixture(scope="module")
def checks():
    return {check.name: check for check in examine()}


def test_looks_at_everything(checks):
    wanted = {"python", "processors", "package onnxruntime", "package cv2", "video", "video encoders", "kernel cache"}
    assert wanted | {f"provider {provider.short}" for provider in providers.Provider} <= checks.keys()
    assert checks["python"].status is Status.OK
    assert checks["provider cpu"].status is Status.OK
    assert "264" in checks["video encoders"].detail
    assert all("\n" not in check.detail + check.fix for check in checks.values())


def test_what_lacks_says_how_to_get_it(checks):
    for check in checks.values():
        if check.status in (Status.WARN, Status.FAIL):
            assert check.fix, check


def test_cuda_without_driver_names_the_library(checks):
    if providers.missing_driver() is None:
        pytest.skip("this machine has an NVIDIA driver")
    assert checks["provider cuda"].status is Status.ABSENT
    assert "libcuda" in checks["provider cuda"].detail or "nvcuda" in checks["provider cuda"].detail


def owners(**distributions):
    return lambda: {"onnxruntime": ["onnxruntime-gpu"], "cv2": ["opencv-python"], **distributions}


@pytest.mark.parametrize(
    ("distributions", "name", "status", "words"),
    [
        (
            {"onnxruntime": ["onnxruntime", "onnxruntime-gpu"]},
            "package onnxruntime",
            Status.FAIL,
            "pip uninstall onnxr",
        ),
        ({"cv2": ["opencv-python", "opencv-python-headless"]}, "package cv2", Status.FAIL, "pip uninstall opencv-"),
        ({"cv2": []}, "package cv2", Status.FAIL, "pip install opencv-python"),
        ({}, "package cv2", Status.OK, ""),
    ],
    ids=["both-runtimes", "both-opencvs", "no-opencv", "one-each"],
)
def test_packages_that_overwrite_each_other(monkeypatch, distributions, name, status, words):
    monkeypatch.setattr(doctor.metadata, "packages_distributions", owners(**distributions))
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "1.0")
    found = {check.name: check for check in doctor.check_packages()}
    assert found[name].status is status
    assert words in found[name].fix


def test_a_gpu_without_its_libraries_is_a_warning(monkeypatch):
    """A machine with a driver should not look as if there was nothing to gain."""

    def missing(data, provider, options):
        raise providers.ProviderMissing(provider, "libcublasLt.so.13: cannot open shared object file")

    monkeypatch.setattr(providers, "missing_driver", lambda: None)
    monkeypatch.setattr(providers, "cuda_libraries", lambda: ["libcublasLt.so.13", "libnone.so.9"])
    monkeypatch.setattr("streamdet.detect.session.create", missing)
    found = {check.name: check for check in doctor.check_providers()}
    assert found["provider cuda"].status is Status.WARN
    assert "libcublasLt.so.13" in found["provider cuda"].detail
    assert 'pip install "onnxruntime-gpu[cuda,cudnn]"' in found["provider cuda"].fix
    assert found["provider openvino"].status is Status.ABSENT
    assert found["nvidia gpu"].status is Status.WARN
    assert "libnone.so.9" in found["nvidia gpu"].detail
    assert found["nvidia gpu"].fix == providers.INSTALL_CUDA


def test_a_check_that_breaks_is_a_finding():
    def check_thing():
        yield Check("first", Status.OK, "fine")
        raise OSError("cannot read rtsp://user:secret@host/x\nat all")

    found = list(safely(check_thing))
    assert [check.status for check in found] == [Status.OK, Status.FAIL]
    assert found[1].name == "thing"
    assert "secret" not in found[1].detail
    assert "\n" not in found[1].detail


def test_a_table_and_exit_code_0(monkeypatch, capsys):
    monkeypatch.setattr(command, "examine", lambda: [Check("windows", Status.ABSENT, "no screen", "buy one")])
    command.doctor()
    out = capsys.readouterr().out
    assert "windows" in out
    assert "→ buy one" in out
    assert "Nothing is broken." in out


def test_something_broken_is_exit_code_1(monkeypatch, capsys):
    monkeypatch.setattr(command, "examine", lambda: [Check("video", Status.FAIL, "no FFmpeg", "pip install av")])
    with pytest.raises(typer.Exit) as stop:
        command.doctor(as_json=True)
    assert stop.value.exit_code == 1
    assert json.loads(capsys.readouterr().out) == [
        {"name": "video", "status": "fail", "detail": "no FFmpeg", "fix": "pip install av"}
    ]


@pytest.mark.parametrize(("status", "code"), [(Status.WARN, 0), (Status.FAIL, 1)], ids=["warning", "broken"])
def test_json_on_the_command_line(monkeypatch, capsys, status, code):
    monkeypatch.setattr(command, "examine", lambda: [Check("video", status, "no FFmpeg", "pip install av")])
    assert execute(["doctor", "--json"]) == code
    out, err = capsys.readouterr()
    assert [check["status"] for check in json.loads(out)] == [status.name.lower()]
    assert err == ""
