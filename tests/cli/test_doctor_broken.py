"""`streamdet doctor` on broken machines: the real command in a separate process whose environment breaks something.

One test breaks several unrelated things at once: each must be found despite the others.
"""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from streamdet.doctor.cuda_libraries import INSTALL_CUDA
from streamdet.inference.providers import Provider, missing_driver
from streamdet.models.catalog import find_model, model_file_name
from tests.doctor.broken_machine import distribution, doctor, nvidia_driver, shim

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="breaks a machine in ways of Linux")
NVIDIA = ("nvidia gpu", "provider cuda", "provider auto")
needs_no_gpu = pytest.mark.skipif(missing_driver() is None, reason="this machine has an NVIDIA driver")


def test_a_machine_with_nothing_broken(tmp_path):
    report = doctor(STREAMDET_MODELS=str(tmp_path / "models"), DISPLAY=None, WAYLAND_DISPLAY=None)
    assert report.code == 0, report.text
    assert report.verdict["broken"] == []
    assert report.status("provider cpu") == "ok"
    assert report.verdict["provider"] in {provider.short for provider in Provider}
    assert f"auto selects {report.verdict['provider']}" in report.verdict["summary"]
    assert report.status("windows") == "absent"
    assert "DISPLAY" in report.all_of("windows")
    assert report.status("video") in ("ok", "warn")
    assert all(not check["fix"] for check in report.checks.values() if check["status"] == "ok")
    assert all(check["fix"] for check in report.checks.values() if check["status"] in ("warn", "fail"))


@pytest.mark.gpu
@pytest.mark.skipif(missing_driver() is not None, reason="needs an NVIDIA GPU")
def test_a_working_gpu_that_is_hidden():
    report = doctor(LD_LIBRARY_PATH=os.environ.get("LD_LIBRARY_PATH"))
    if report.status("provider cuda") != "ok":
        pytest.skip(f"the CUDA libraries are not installed: {report.all_of('provider cuda')}")
    assert report.status("nvidia gpu") == report.status("cuda libraries") == "ok"
    assert report.verdict["provider"] == "cuda"
    hidden = doctor(CUDA_VISIBLE_DEVICES="")
    assert hidden.status("nvidia gpu") == "warn"
    assert "CUDA_VISIBLE_DEVICES" in hidden.verdict["best_step"]
    assert hidden.verdict["provider"] != "cuda"


def test_duplicate_packages_a_damaged_model_and_a_world_writable_cache(tmp_path):
    distribution(tmp_path / "site", "onnxruntime", "1.20.0")
    distribution(tmp_path / "site", "onnxruntime-directml", "1.20.0")
    distribution(tmp_path / "site", "opencv-python-headless", "4.9.0")
    distribution(tmp_path / "site", "opencv_contrib_python", "4.9.0")
    models, cache = tmp_path / "models", tmp_path / "cache/streamdet/numba"
    models.mkdir()
    spec = find_model("yolox-nano")
    assert spec is not None
    (models / model_file_name(spec)).write_bytes(bytes(spec.size_bytes or 1))
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    report = doctor(
        tmp_path / "site",
        STREAMDET_MODELS=str(models),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        QT_QPA_PLATFORM_PLUGIN_PATH="/opt/other/qt",
        only=("packages", "provider cpu", "storage"),
    )
    assert report.code == 1
    assert {"package onnxruntime", "package cv2", "model yolox-nano"} <= set(report.verdict["broken"])
    for name in ("onnxruntime 1.20.0", "onnxruntime-gpu", "onnxruntime-directml", "pip uninstall -y onnxruntime "):
        assert name in report.all_of("package onnxruntime")
    for name in (
        "opencv-python ",
        "opencv-python-headless 4.9.0",
        "opencv-contrib-python",
        "pip install opencv-python",
    ):
        assert name in report.all_of("package cv2")
    assert "streamdet models pull yolox-nano" in report.checks["model yolox-nano"]["fix"]
    assert report.verdict["best_step"] == report.checks["package onnxruntime"]["fix"]
    assert report.status("kernel cache") == "warn"
    assert f"chmod go-w {cache}" in report.all_of("kernel cache")
    assert "unset QT_QPA_PLATFORM_PLUGIN_PATH" in report.all_of("qt")
    assert report.status("provider cpu") == "ok"


@needs_no_gpu
def test_a_gpu_without_cuda_libraries(tmp_path):
    folder = nvidia_driver(tmp_path / "lib")
    (folder / "libcudnn.so.8").touch()
    (folder / "libcurand.so.10.1.2").touch()
    (folder / "libcurand.so.10").symlink_to("libcurand.so.10.1.2")  # exists, but is not a library
    distribution(tmp_path / "site", "nvidia-curand", "10.4.0.35")
    report = doctor(tmp_path / "site", LD_LIBRARY_PATH=str(folder), only=NVIDIA)
    assert report.code == 0, "the CPU still works"
    assert "Fake GPU, 8 GiB, compute capability 9.0; driver for CUDA 13.0" in report.all_of("nvidia gpu")
    assert f"libcudnn.so.8; the package nvidia-cudnn-cu13 contains it {INSTALL_CUDA}" in report.all_of("libcudnn.so.9")
    assert "missing; the package nvidia-cublas contains it" in report.all_of("libcublasLt.so.13")
    assert "does not load" in report.all_of("libcurand.so.10")
    assert "is version 10.1.2 and hides nvidia-curand 10.4.0.35" in report.all_of("libcurand.so.10 twice")
    assert report.status("provider cuda") == "warn"
    assert "libcublasLt.so.13 is missing" in report.all_of("provider cuda")
    assert report.verdict["provider"] != "cuda"
    assert "Not cuda: libcublasLt.so.13 is missing." in report.verdict["summary"]
    assert report.verdict["best_step"] == INSTALL_CUDA


@needs_no_gpu
def test_a_driver_that_is_too_old(tmp_path):
    report = doctor(LD_LIBRARY_PATH=str(nvidia_driver(tmp_path, version=12_040)), only=NVIDIA)
    assert report.code == 0
    assert report.status("nvidia gpu") == "warn"
    assert "supports CUDA 12.4, onnxruntime-gpu needs 13" in report.all_of("nvidia gpu")
    assert (
        report.verdict["best_step"] == report.checks["nvidia gpu"]["fix"] == "update the NVIDIA driver to 580 or newer"
    )


@needs_no_gpu
def test_a_driver_that_hangs(tmp_path):
    """Runs few probes: the time limit also holds for those that answer, and the machine may be busy."""
    driver = str(nvidia_driver(tmp_path, hangs=True))
    report = doctor(LD_LIBRARY_PATH=driver, timeout_s=6, only=(*NVIDIA, "packages"))
    assert report.code == 1
    assert list(report.verdict["broken"]) == list(NVIDIA)
    assert "no answer within 6 s" in report.all_of("nvidia gpu")
    assert report.status("package numpy") == "ok"
    assert "NVIDIA driver" in report.verdict["best_step"]


def test_a_crashing_provider_and_no_writable_folder(tmp_path):
    crash = "real.InferenceSession = lambda *_, **__: os.kill(os.getpid(), signal.SIGSEGV)"
    nowhere = tmp_path / "file"
    nowhere.touch()
    report = doctor(
        shim(tmp_path / "site", "onnxruntime", crash),
        HOME=str(nowhere / "home"),
        XDG_CACHE_HOME=None,
        STREAMDET_MODELS=None,
        only=("provider cpu", "provider auto", "storage"),
    )
    assert report.code == 1
    assert "provider cpu" in report.verdict["broken"]
    assert "crashed (SIGSEGV)" in report.all_of("provider cpu")
    assert report.verdict["provider"] != "cpu"
    assert report.verdict["best_step"] == report.checks["provider cpu"]["fix"]
    assert report.status("kernel cache") == "warn"
    assert "XDG_CACHE_HOME" in report.all_of("kernel cache")
    assert report.status("models") == "warn"
    assert "STREAMDET_MODELS" in report.all_of("models")


def test_libraries_that_fail_to_import_or_are_incomplete_and_no_secrets(tmp_path):
    """The output is pasted into bug reports: it contains neither user names nor passwords."""
    site, home = tmp_path / "site", tmp_path / "home/jane.doe"
    home.mkdir(parents=True)
    shim(site, "av", "import av.codec; av.codec.codecs_available = {'mpeg4'}; real.__version__ = '17.0.0'")
    for name, words in (
        ("onnxruntime", "DLL load failed for rtsp://admin:s3cret@camera/1"),
        ("cv2", "libGL.so.1: cannot open shared object file"),
    ):
        (site / name).mkdir()
        (site / name / "__init__.py").write_text(f"raise ImportError({words!r})")
    report = doctor(site, HOME=str(home), XDG_CACHE_HOME=None, STREAMDET_MODELS=None, API_TOKEN="s3cret")
    assert "s3cret" not in report.text
    assert "jane.doe" not in report.text
    assert "~/.cache/streamdet" in report.text
    assert report.code == 1
    assert {"provider cpu", "opencv"} == set(report.verdict["broken"]), "one cause is reported once"
    assert "DLL load failed" in report.all_of("provider cpu")
    assert "apt install libgl1" in report.all_of("opencv")
    assert report.status("video") == "warn"
    assert "known security holes" in report.all_of("video")
    assert report.status("video encoders") == "warn"
    assert "no H.264" in report.all_of("video encoders")


def test_a_window_that_aborts_the_process(tmp_path):
    """As Qt does with incompatible plug-ins: after a screen has answered, with an abort that cannot be caught."""
    number = 7000 + os.getpid() % 1000
    site = shim(tmp_path, "cv2", "real.namedWindow = lambda *_: (os.write(2, b'no Qt platform plug-in'), os.abort())")
    with socket.socket(socket.AF_UNIX) as screen:
        screen.bind(f"\0/tmp/.X11-unix/X{number}")
        screen.listen()
        report = doctor(site, DISPLAY=f":{number}", only=("packages", "video", "windows"))
    assert report.code == 1
    assert report.verdict["broken"] == ["windows"]
    assert "crashed (SIGABRT): no Qt platform plug-in" in report.all_of("windows")


@pytest.mark.parametrize("chosen", [None, "models"], ids=["no folder set", "models folder set"])
def test_a_user_without_a_home(tmp_path, chosen):
    """As with ``docker run --user 1234``: no HOME, and no entry in the list of users."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
    )
    models = None if chosen is None else str(tmp_path / chosen)
    report = doctor(tmp_path, HOME=None, XDG_CACHE_HOME=None, STREAMDET_MODELS=models)
    assert report.code == 0, report.text
    assert report.status("kernel cache") == "warn"
    assert "STREAMDET_MODELS and XDG_CACHE_HOME" in report.checks["kernel cache"]["fix"]
    assert report.status("models") == ("warn" if chosen is None else "absent")
    assert chosen or "STREAMDET_MODELS and XDG_CACHE_HOME" in report.checks["models"]["fix"]
    assert report.status("provider cpu") == "ok"


@contextmanager
def mounted(disk, options):
    """Mounts an empty disk in memory."""
    disk.mkdir()
    if os.getuid() != 0:
        pytest.skip("mounting a disk needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_home_that_is_read_only(tmp_path):
    with mounted(tmp_path / "home", "ro,size=1m"):
        report = doctor(HOME=str(tmp_path / "home"), XDG_CACHE_HOME=None, STREAMDET_MODELS=None, only=("storage",))
    assert report.code == 0
    assert report.status("kernel cache") == "warn"
    assert "XDG_CACHE_HOME" in report.checks["kernel cache"]["fix"]
    assert report.status("models") == "warn"
    assert "STREAMDET_MODELS" in report.checks["models"]["fix"]


def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    with mounted(disk, "size=64k"):
        (disk / "models").mkdir()
        small_disk = {"STREAMDET_MODELS": str(disk / "models"), "XDG_CACHE_HOME": str(disk), "TMPDIR": str(disk)}
        report = doctor(only=("packages", "storage"), **small_disk)
    assert report.code == 0
    small = next(
        check for check in report.checks.values() if check["name"].startswith("disk") and check["status"] != "ok"
    )
    assert "too little for models" in small["detail"]
