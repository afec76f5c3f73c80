"""Fake NVIDIA libraries: they allocate memory and compute nothing. The real runtime accepts them as a GPU."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamdet.inference.providers import onnxruntime_module

_REAL = """
#include <stdlib.h>
#include <string.h>
#define HANDLE(name) int name(void **handle) { *handle = (void *)8; return 0; }
int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaMemGetInfo(size_t *free, size_t *total) { *free = *total = (size_t)8 << 30; return 0; }
int cudaMalloc(void **memory, size_t size) { *memory = calloc(1, size); return 0; }
int cudaMallocHost(void **memory, size_t size) { *memory = calloc(1, size); return 0; }
int cudaHostAlloc(void **memory, size_t size) { *memory = calloc(1, size); return 0; }
int cudaMemcpy(void *to, void *from, size_t size) { memcpy(to, from, size); return 0; }
int cudaMemcpyAsync(void *to, void *from, size_t size) { memcpy(to, from, size); return 0; }
const char *cudaGetErrorString(int code) { return "fake"; }
const char *cudaGetErrorName(int code) { return "fake"; }
HANDLE(cudaStreamCreateWithFlags) HANDLE(cudaEventCreateWithFlags) HANDLE(cublasCreate_v2) HANDLE(cublasLtCreate)
HANDLE(cudnnCreate) int cudnnSetStream(void) { return 0; } int cudnnDestroy(void) { return 0; }
static long nothing(void) { return 0; }
static void *methods[200], *object = methods;
__attribute__((constructor)) static void fill(void) { for (int i = 0; i < 200; i++) methods[i] = (void *)nothing; }
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
"""


def nvidia(folder: Path) -> Path:
    """Compiles the libraries that both providers are linked to, and returns their folder; skips where that fails."""
    capi = Path(onnxruntime_module().__file__).parent / "capi"
    providers = [capi / f"libonnxruntime_providers_{name}.so" for name in ("cuda", "tensorrt")]
    if (
        sys.platform != "linux"
        or not all(map(Path.exists, providers))
        or not (shutil.which("gcc") and shutil.which("readelf"))
    ):
        pytest.skip("the fake NVIDIA libraries need gcc on Linux, and an ONNX Runtime with CUDA")
    command = ["readelf", "--dyn-syms", "--dynamic", "-W", *map(str, providers)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    source = _REAL
    for name in set(re.findall(r"UND (\w+?)(?:@lib\S+)?\n", listed.replace(" (", "\n"))):
        if name.startswith(("create", "getPlugin", "getInfer")):
            source += f"void *{name}(void) {{ return &object; }}\n"  # whose methods all return 0
        elif name.startswith(("cu", "__cuda")) and not re.search(rf"\b{name}\b", _REAL):
            source += f"long {name}() {{ return 0; }}\n"
    for library in set(re.findall(r"NEEDED.*\[(lib(?:cu|nv)\w+\.so\.\d+)\]", listed)):
        script = folder / f"{library}.map"  # each library has its own symbol version
        script.write_text(f"{library} {{ global: *; }};\n")
        options = ["-w", f"-Wl,-soname,{library}", f"-Wl,--version-script={script}", "-o", str(folder / library)]
        command = ["gcc", "-shared", "-fPIC", *options, "-x", "c", "-"]
        subprocess.run(command, input=source, text=True, check=True, capture_output=True)
    return folder
