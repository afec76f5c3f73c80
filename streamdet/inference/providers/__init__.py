"""Execution providers: the hardware a model can run on, and why one is not available.

`names` and `options` define names and options. `checked_model` reads a model. `cpu_threads` and `nvidia_libraries`
inspect the machine. `cpu`, `cuda`, `tensorrt` and `openvino` load a model and return an `engine` that runs it;
`engine_factory` lists them.
"""

from streamdet.inference.providers.cpu_threads import HEAVY_GFLOPS, available_cpus, default_threads
from streamdet.inference.providers.engine import Engine
from streamdet.inference.providers.engine_factory import create_engine
from streamdet.inference.providers.names import (
    AUTO_ORDER,
    INSTALL_CUDA,
    Precision,
    Provider,
    ProviderMissing,
    parse_precision,
    parse_provider,
)
from streamdet.inference.providers.nvidia_libraries import load_libraries, missing_driver, preload_libraries
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.inference.providers.options import CheckedModel, ProviderOptions

__all__ = [
    "AUTO_ORDER",
    "HEAVY_GFLOPS",
    "INSTALL_CUDA",
    "CheckedModel",
    "Engine",
    "Precision",
    "Provider",
    "ProviderMissing",
    "ProviderOptions",
    "available_cpus",
    "create_engine",
    "default_threads",
    "load_libraries",
    "missing_driver",
    "onnxruntime_module",
    "parse_precision",
    "parse_provider",
    "preload_libraries",
]
