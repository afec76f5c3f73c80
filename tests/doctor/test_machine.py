from pathlib import Path

import pytest

from streamdet.doctor import machine
from streamdet.doctor.check_result import Status, abbreviate_home
from streamdet.doctor.processor import Processor, read_processor
from streamdet.inference import providers

INTEL = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nflags\t\t: sse avx2 avx512f amx_int8 amx_bf16\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp\n"


@pytest.mark.parametrize(
    ("text", "is_intel", "is_x86", "words"),
    [
        (INTEL + "\nprocessor\t: 1\n", True, True, "AVX-512, AMX (INT8 is very fast), AMX (BF16 is fast)"),
        (ARM, False, False, "NEON, dot products (INT8 is fast)"),
        ("vendor_id : AuthenticAMD\nflags : avx2", False, True, "AVX2"),
        ("nothing that is known", False, False, "no SIMD known"),
    ],
    ids=["intel", "arm", "amd", "unknown"],
)
def test_processor_instruction_sets(tmp_path, text, is_intel, is_x86, words):
    (tmp_path / "cpuinfo").write_text(text)
    processor = read_processor(tmp_path / "cpuinfo")
    assert (processor.is_intel, processor.is_x86, processor.arithmetic()) == (is_intel, is_x86, words)


def test_missing_processor_list_is_no_failure(tmp_path):
    assert read_processor(tmp_path / "none").flags == frozenset()
    assert machine._arithmetic(Processor()).status is Status.ABSENT


def test_processor_without_avx2_is_a_warning():
    assert machine._arithmetic(Processor("GenuineIntel", "old", frozenset({"sse4_2"}))).status is Status.WARN


@pytest.mark.parametrize(
    ("cpus", "words"),
    [(1, "; 1 for inference, by default"), (4, "; 3 for inference, 4 for heavy networks, by def")],
)
def test_threads_for_inference(monkeypatch, cpus, words):
    for module in (providers, providers.cpu_threads):
        monkeypatch.setattr(module, "available_cpus", lambda: cpus)
    assert words in machine._processors(Processor()).detail


GIB = 2**30


@pytest.mark.parametrize(
    ("groups", "status", "words"),
    [
        ({}, Status.OK, "6.4 GB free of 8.6 GB"),
        ({"memory.max": "max", "memory.current": "5"}, Status.OK, "of 8.6 GB"),
        (
            {"memory.max": str(4 * GIB), "memory.current": str(GIB)},
            Status.OK,
            "3.2 GB free of the 4.3 GB limit of th",
        ),
        ({"memory.max": str(GIB), "memory.current": str(GIB // 2)}, Status.WARN, "0.5 GB free"),
        ({"memory/memory.limit_in_bytes": str(GIB), "memory/memory.usage_in_bytes": "0"}, Status.OK, "1.1 GB free"),
        (
            {"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "0"},
            Status.OK,
            "8.6",
        ),
    ],
    ids=["none", "max", "v2", "v2-full", "v1", "v1-none"],
)
def test_memory_limit_of_a_container(tmp_path, groups, status, words):
    (tmp_path / "meminfo").write_text(f"MemTotal: {8 * GIB // 1024} kB\nMemAvailable: {6 * GIB // 1024} kB\n")
    for name, text in groups.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    check = machine._memory(tmp_path / "meminfo", tmp_path)
    assert check.status is status
    assert words in check.detail
    assert bool(check.fix) == (status is Status.WARN)


@pytest.mark.parametrize(
    ("home", "path", "shown"),
    [
        ("/home/jane", "/home/jane/.cache/x", "~/.cache/x"),
        ("/home/jane", "/home/janet/x", "/home/janet/x"),
        ("/home/jane", "/home/jane", "~"),
        ("/", "/data/x", "/data/x"),
    ],
)
def test_home_folder_is_hidden(monkeypatch, home, path, shown):
    monkeypatch.setattr(Path, "home", lambda: Path(home))
    assert abbreviate_home(Path(path)) == shown
