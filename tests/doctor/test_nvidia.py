"""The driver, replaced by a fake libcuda, and the names of the libraries."""

import re
from importlib import metadata

import pytest

from streamdet.doctor import cuda_libraries, nvidia
from streamdet.doctor.check_result import Status
from streamdet.doctor.cuda_libraries import find_shadowed, library_version, required_libraries
from tests.doctor.broken_machine import distribution


class FakeDriver:
    """Answers like libcuda. The result of `ctypes.byref` has its object in `_obj`."""

    def __init__(self, code=0, version=13_010, count=1, capability=(9, 0)):
        self.code, self.version, self.count, self.capability = code, version, count, capability

    def cuInit(self, flags):
        return self.code

    def cuDriverGetVersion(self, version):
        version._obj.value = self.version
        return 0

    def cuDeviceGetCount(self, count):
        count._obj.value = self.count
        return 0

    def cuDeviceGet(self, device, number):
        device._obj.value = number

    def cuDeviceGetName(self, name, size, device):
        name.value = b"Fake GPU"

    def cuDeviceTotalMem_v2(self, memory, device):
        memory._obj.value = 8 << 30

    def cuDeviceGetAttribute(self, value, which, device):
        value._obj.value = self.capability[{75: 0, 76: 1}[which]]


@pytest.fixture
def probe(monkeypatch):
    def run(driver, built_for=(13, 0), installed=1):
        monkeypatch.setattr(nvidia, "_load", lambda: driver)
        monkeypatch.setattr(nvidia, "runtime_cuda_version", lambda: built_for)
        monkeypatch.setattr(nvidia, "count_pci_gpus", lambda: installed)
        monkeypatch.setattr(nvidia, "check_libraries", lambda cuda: iter(()))
        return list(nvidia.probe())

    return run


@pytest.mark.parametrize(
    ("driver", "built_for", "status", "words"),
    [
        (FakeDriver(), (13, 0), Status.OK, "Fake GPU, 8 GiB, compute capability 9.0; driver for CUDA 13.1"),
        (FakeDriver(version=13_000), (13, 2), Status.OK, "driver for CUDA 13.0"),
        (FakeDriver(version=14_000), (13, 0), Status.OK, "driver for CUDA 14.0"),
        (
            FakeDriver(version=12_080),
            (13, 0),
            Status.WARN,
            "it supports CUDA 12.8, onnxruntime-gpu needs 13.0",
        ),
        (FakeDriver(capability=(6, 1)), (13, 0), Status.WARN, "too old for CUDA 13, which needs 7.5"),
        (FakeDriver(capability=(6, 1)), (12, 8), Status.OK, "capability 6.1"),
        (FakeDriver(code=803), (13, 0), Status.WARN, "different versions (CUDA error 803)"),
        (FakeDriver(code=34), (13, 0), Status.WARN, "linker's stub"),
        (FakeDriver(code=12345), (13, 0), Status.WARN, "fails (CUDA error 12345)"),
        (FakeDriver(count=0), (13, 0), Status.WARN, "sees no GPU"),
    ],
    ids=["fine", "minor", "newer", "old-driver", "old-gpu", "old-gpu-12", "mixed", "stub", "other-code", "hidden"],
)
def test_driver_and_gpu(probe, driver, built_for, status, words):
    check = probe(driver, built_for)[0]
    assert check.status is status
    assert words in check.detail
    assert bool(check.fix) == (status is Status.WARN)


def test_driver_without_gpu_is_absent(probe, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert probe(FakeDriver(code=100), installed=0)[0].status is Status.ABSENT


def test_gpu_hidden_by_environment_is_a_warning(probe, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert probe(FakeDriver(code=100), installed=0)[0].status is Status.WARN


def test_gpu_with_runtime_without_cuda_is_a_warning(probe):
    gpu, runtime = probe(FakeDriver(), built_for=None)
    assert gpu.status is Status.OK
    assert runtime.status is Status.WARN
    assert "onnxruntime-gpu[cuda,cudnn]" in runtime.fix


@pytest.mark.parametrize(("installed", "status"), [(0, Status.ABSENT), (2, Status.WARN)])
def test_missing_driver(monkeypatch, installed, status):
    def missing():
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(nvidia, "_load", missing)
    monkeypatch.setattr(nvidia, "count_pci_gpus", lambda: installed)
    (check,) = nvidia.probe()
    assert check.status is status


def test_gpus_on_the_bus(tmp_path):
    for name, vendor, kind in (("a", "0x10de", "0x030200"), ("b", "0x10de", "0x040300"), ("c", "0x8086", "0x030000")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(vendor + "\n")
        (tmp_path / name / "class").write_text(kind + "\n")
    (tmp_path / "just-unplugged").mkdir()
    assert nvidia.count_pci_gpus(tmp_path) == 1, (
        "the sound device of a graphics card and other vendors' cards do not count"
    )


def test_named_packages_are_in_the_extras():
    """The suggested command must install each package: it is in an extra, or a dependency of one that is."""
    try:
        needs = metadata.requires("onnxruntime-gpu") or []
    except metadata.PackageNotFoundError:
        pytest.skip("onnxruntime-gpu is not installed")
    extras = {re.split(r"[~=<>; ]", need)[0] for need in needs if re.search(r"extra == [\"'](cuda|cudnn)", need)}
    cuda = nvidia.runtime_cuda_version()
    assert cuda is not None
    named = {library.package for library in required_libraries(cuda[0])}
    suffix = "" if cuda[0] > 12 else f"-cu{cuda[0]}"
    assert named - extras == {f"nvidia-cublas{suffix}"}, "which cuDNN's package needs"
    assert extras - named == {f"nvidia-cufft{suffix}"}, "which no detector needs"


class FakeCudnn:
    def cudnnGetVersion(self):
        return 91_002


@pytest.mark.parametrize(
    ("missing", "found"),
    [
        ((), {"cuda libraries": "all 6 load, cuDNN 9.10.2, for CUDA 13"}),
        (("cudnn",), {"libcudnn.so.9": "missing; the package nvidia-cudnn-cu13 contains it"}),
        (("cublas.", "curand"), {"libcublas.so.13": "nvidia-cublas", "libcurand.so.10": "nvidia-curand"}),
    ],
    ids=["all", "one", "two"],
)
def test_libraries(monkeypatch, missing, found):
    def load(name):
        if name.startswith(tuple(f"lib{stem}" for stem in missing)):
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return FakeCudnn()

    monkeypatch.setattr(cuda_libraries.sys, "platform", "linux")
    monkeypatch.setattr(cuda_libraries.ctypes, "CDLL", load)
    monkeypatch.setattr("streamdet.inference.providers.preload_libraries", lambda: None)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    checks = list(cuda_libraries.check_libraries((13, 0), []))
    assert [check.name for check in checks] == list(found)
    assert all(words in check.detail for check, words in zip(checks, found.values(), strict=True))
    one = f"pip install nvidia-{missing[0]}-cu13" if missing else ""
    assert {check.fix for check in checks} == {cuda_libraries.INSTALL_CUDA if len(missing) > 1 else one}


def test_package_and_file_names_depend_on_cuda_version():
    assert [library.package for library in required_libraries(12)][-2:] == ["nvidia-curand-cu12", "nvidia-cudnn-cu12"]
    assert [library.file for library in required_libraries(12) if library.stem == "cublas"] == ["libcublas.so.12"]


def test_older_library_that_hides_an_installed_one_is_reported(tmp_path, monkeypatch):
    distribution(tmp_path / "site", "nvidia-cudnn-cu13", "9.28.1.4")
    monkeypatch.syspath_prepend(tmp_path / "site")
    for folder, version in (("old", "9.1.0"), ("same", "9.28.1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"libcudnn.so.{version}").touch()
        (tmp_path / folder / "libcudnn.so.9").symlink_to(f"libcudnn.so.{version}")
    monkeypatch.setattr(cuda_libraries.sys, "platform", "linux")
    search = f"{tmp_path}/old::{tmp_path}/same:{tmp_path}/none"
    (check,) = find_shadowed(required_libraries(13), search)
    assert check.status is Status.WARN
    assert "is version 9.1.0 and hides nvidia-cudnn-cu13 9.28.1.4" in check.detail
    assert check.fix == f"remove {tmp_path}/old from LD_LIBRARY_PATH"


def test_unreadable_version_is_empty(tmp_path):
    (tmp_path / "libcudnn.so.9").write_text("no library")
    assert library_version(tmp_path / "libcudnn.so.9") == ""
