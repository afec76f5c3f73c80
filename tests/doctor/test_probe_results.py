"""The probes of packages, providers and video, with what they examine replaced."""

import pytest

from streamdet.doctor import inference, packages, tiny_model, video
from streamdet.doctor.check_result import Status
from streamdet.doctor.processor import Processor
from streamdet.inference import providers

FINE = {"onnxruntime-gpu": "1.31.1", "opencv-python": "5.0", "numpy": "2", "numba": "1", "onnx": "1"}


@pytest.mark.parametrize(
    ("change", "name", "status", "words"),
    [
        ({}, "package cv2", Status.OK, "opencv-python 5.0"),
        ({"onnxruntime-ep-openvino": "1"}, "package onnxruntime", Status.OK, "onnxruntime-gpu 1.31.1"),
        ({"onnxruntime-extensions": "1"}, "package onnxruntime", Status.OK, ""),
        ({"onnxruntime-openvino": "1"}, "package onnxruntime", Status.FAIL, "overwrite each other"),
        (
            {"ort-nightly-gpu": "1"},
            "package onnxruntime",
            Status.FAIL,
            "pip uninstall -y onnxruntime-gpu ort-nightly-gpu",
        ),
        ({"onnxruntime-gpu": None}, "package onnxruntime", Status.FAIL, "pip install onnxruntime"),
        ({"opencv-contrib-python-headless": "1"}, "package cv2", Status.FAIL, "overwrite each other"),
        ({"opencv-python": None}, "package cv2", Status.FAIL, "pip install opencv-python"),
        ({"opencv-python": None, "opencv-python-headless": "1"}, "package cv2", Status.WARN, "--show cannot work"),
        ({"numba": None}, "package numba", Status.FAIL, "pip install numba"),
    ],
    ids=["fine", "plug-in", "add-on", "two", "nightly", "none", "contrib", "no-cv2", "headless", "no-numba"],
)
def test_conflicting_and_missing_packages(monkeypatch, change, name, status, words):
    found = {key: version for key, version in {**FINE, **change}.items() if version is not None}
    monkeypatch.setattr(packages, "installed", lambda: found)
    check = next(check for check in packages.probe() if check.name == name)
    assert check.status is status
    assert words in f"{check.detail} {check.fix}"
    assert bool(check.fix) == (status is not Status.OK)


def failing(provider, reason):
    """Replaces `Session` on a machine where a provider is missing."""

    def session(*_, **__):
        raise providers.ProviderMissing(provider, reason)

    return session


INTEL = Processor("GenuineIntel", "", frozenset({"avx512_vnni"}))
AMD = Processor("AuthenticAMD", "", frozenset({"avx2"}))


@pytest.mark.parametrize(
    ("processor", "installed", "status", "words"),
    [
        (INTEL, False, Status.ABSENT, "large networks run faster in INT8"),
        (AMD, False, Status.ABSENT, "not installed"),
        (INTEL, True, Status.WARN, "no device"),
        (AMD, True, Status.WARN, "no device"),
    ],
    ids=["intel-without", "amd-without", "intel-with", "amd-with"],
)
def test_openvino_plugin_or_runtime(monkeypatch, processor, installed, status, words):
    monkeypatch.setattr(inference, "read_processor", lambda: processor)
    monkeypatch.setattr(inference, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr("streamdet.inference.session.Session", failing(providers.Provider.OPENVINO, "no device"))
    (check,) = inference.probe("openvino")
    assert check.status is status
    assert words in check.detail
    assert check.fix.endswith("onnxruntime-ep-openvino" if processor is INTEL else " openvino")


def test_gpu_without_its_provider_is_a_warning(monkeypatch):
    """A machine with a driver could use its GPU, so the result is a warning, not ABSENT."""
    reason = "libcublasLt.so.13: cannot open shared object file: No such file or directory"
    monkeypatch.setattr(providers, "missing_driver", lambda: None)
    monkeypatch.setattr("streamdet.inference.session.Session", failing(providers.Provider.CUDA, reason))
    (cuda,) = inference.probe("cuda")
    assert (cuda.status, cuda.detail) == (Status.WARN, "libcublasLt.so.13 is missing")
    assert cuda.fix == providers.INSTALL_CUDA
    monkeypatch.setattr("streamdet.inference.session.Session", failing(providers.Provider.TENSORRT, reason))
    (tensorrt,) = inference.probe("tensorrt")
    assert tensorrt.status is Status.ABSENT, "it is used only on request"


def test_provider_with_wrong_results_is_broken(monkeypatch):
    import numpy as np

    from streamdet.inference.session import Session

    monkeypatch.setattr(Session, "run", lambda self, batch: {"y": np.full((1, 1, 8, 8), np.nan, np.float32)})
    (check,) = inference.probe("cpu")
    assert check.status is Status.FAIL
    assert "nan instead of 1" in check.detail


@pytest.mark.parametrize(
    ("version", "python", "status", "words"),
    [
        ("19.0.2", (3, 13), Status.OK, ""),
        ("20.1.0", (3, 12), Status.OK, ""),
        ("19.0.1", (3, 13), Status.WARN, 'pip install --upgrade "av>=19.0.2"'),
        ("18.1.0", (3, 11), Status.WARN, "use Python 3.12 or 3.13"),
        ("18.0.0", (3, 11), Status.WARN, "known security holes"),
        ("17.0.0rc1", (3, 12), Status.WARN, "known security holes"),
    ],
)
def test_oldest_secure_pyav(version, python, status, words):
    check = video.check_version(version, "8.1.2", python)
    assert check.status is status
    assert words in f"{check.detail} {check.fix}"


def test_opencv_build_information():
    text = "  Video I/O:\n    FFMPEG:   YES\n      avcodec:  YES (62.28.101)\n  GUI:    QT5\n"
    assert video.describe_opencv("5", text) == "OpenCV 5, windows with QT5; its FFmpeg (avcodec 62.28.101) is not used"
    assert video.describe_opencv("5", "  GUI:      NONE\n") == "OpenCV 5, without windows"


def test_encoders_are_tested_by_encoding():
    assert video.encoder_error("mpeg4") is None
    assert video.encoder_error("libx264") is None
    assert video.encoder_error("no_such_encoder")


def test_tiny_model_is_small():
    assert len(tiny_model()) < 1000
