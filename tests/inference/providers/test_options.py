"""Options of each provider, and what it rejects before loading a model."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from streamdet.errors import UsageError
from streamdet.inference.providers import (
    CheckedModel,
    Precision,
    Provider,
    ProviderOptions,
    available_cpus,
    cpu_threads,
    default_threads,
    tensorrt,
)
from streamdet.inference.providers.checked_model import read_checked_model, stored_precision
from streamdet.inference.providers.cuda import _precision_and_notes, cuda_options
from streamdet.inference.providers.openvino_properties import choose_precision, properties
from streamdet.inference.providers.tensorrt import tensorrt_options
from tests.inference.providers.networks import convolution, network, quantized

DYNAMIC = network(convolution())


@pytest.mark.parametrize(
    ("model", "stored"),
    [
        (convolution(), Precision.FP32),
        (convolution(dtype=TensorProto.FLOAT16), Precision.FP16),
        (quantized(), Precision.INT8),
    ],
    ids=["fp32", "fp16", "int8"],
)
def test_stored_precision_is_read_from_the_weights(model, stored):
    assert stored_precision(model) is stored
    assert read_checked_model(model.SerializeToString())[0].weights is stored


@pytest.mark.parametrize(
    ("provider", "precision", "weights", "words"),
    [
        (Provider.CPU, Precision.BF16, Precision.FP32, "cannot compute in bf16 (it can do auto, fp32, int8)"),
        (Provider.CUDA, Precision.INT8, Precision.INT8, "cannot compute in int8 (it can do auto, fp32, fp16)"),
        (Provider.CUDA, Precision.FP16, Precision.FP32, "`streamdet models convert --precision fp16`"),
        (Provider.TENSORRT, Precision.INT8, Precision.FP32, "`streamdet models convert --precision int8`"),
        (Provider.CPU, Precision.FP32, Precision.FP32, None),
        (Provider.CUDA, Precision.FP16, Precision.FP16, None),
        (Provider.TENSORRT, Precision.FP16, Precision.FP32, None),
        (Provider.OPENVINO, Precision.INT8, Precision.INT8, None),
        (Provider.CUDA, Precision.AUTO, Precision.INT8, None),
    ],
)
def test_unsupported_precisions_are_errors(provider, precision, weights, words):
    given = CheckedModel(b"", "net.onnx", (), weights)
    if words is None:
        ProviderOptions(precision).check(provider, given)
        return
    with pytest.raises(UsageError) as caught:
        ProviderOptions(precision).check(provider, given)
    assert words in str(caught.value)


def zeros(model, kind, value):
    """Returns a quantized network with other zero points."""
    for tensor in model.graph.initializer:
        if tensor.name == "zero":
            tensor.CopyFrom(numpy_helper.from_array(np.array(value, kind), "zero"))
    return model


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        (convolution(), True),
        (quantized(), True),
        (zeros(quantized(), np.int8, 3), False),
        (zeros(quantized(), np.uint8, 128), False),
    ],
    ids=["float", "signed", "shifted", "unsigned"],
)
def test_tensorrt_accepts_only_symmetric_signed_quantization(model, takes):
    given, _ = read_checked_model(model.SerializeToString())
    for provider in (Provider.CPU, Provider.CUDA, Provider.OPENVINO):
        ProviderOptions().check(provider, given)
    with contextlib.nullcontext() if takes else pytest.raises(UsageError, match="give it the float model"):
        ProviderOptions().check(Provider.TENSORRT, given)


def test_cuda_options_follow_precision_and_graph():
    assert cuda_options(ProviderOptions()) == {
        "device_id": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "1",
        "enable_cuda_graph": "0",
    }
    assert cuda_options(ProviderOptions(Precision.FP32))["use_tf32"] == "0"
    assert cuda_options(ProviderOptions(cuda_graph=True, device_id=1))["enable_cuda_graph"] == "1"


@pytest.mark.parametrize(
    ("precision", "weights", "runs_in"),
    [
        (Precision.AUTO, Precision.FP32, "tf32"),
        (Precision.FP32, Precision.FP32, "fp32"),
        (Precision.AUTO, Precision.FP16, "fp16"),
        (Precision.FP32, Precision.INT8, "fp32"),
    ],
)
def test_cuda_precision_follows_request_and_weights(precision, weights, runs_in):
    runs, notes = _precision_and_notes(CheckedModel(b"", "net.onnx", (), weights), ProviderOptions(precision))
    assert runs == runs_in
    assert any("tensorrt" in note for note in notes) == (weights is Precision.INT8)


@pytest.mark.parametrize(
    ("precision", "weights", "flags"),
    [
        (Precision.AUTO, Precision.FP32, "000"),
        (Precision.FP16, Precision.FP32, "100"),
        (Precision.BF16, Precision.FP32, "010"),
        (Precision.AUTO, Precision.FP16, "100"),
        (Precision.AUTO, Precision.INT8, "001"),
        (Precision.FP16, Precision.INT8, "101"),
    ],
)
def test_tensorrt_precision_follows_request_and_weights(precision, weights, flags):
    options = tensorrt_options(network(convolution(), weights), ProviderOptions(precision))
    assert [options[f"trt_{name}_enable"] for name in ("fp16", "bf16", "int8")] == [str(flag == "1") for flag in flags]


def test_tensorrt_profile_covers_all_batch_sizes():
    options = tensorrt_options(DYNAMIC, ProviderOptions(max_batch=4))
    assert options["trt_profile_min_shapes"] == "image:1x3x16x16"
    assert options["trt_profile_opt_shapes"] == options["trt_profile_max_shapes"] == "image:4x3x16x16"
    assert not [
        key for key in tensorrt_options(network(convolution((1, 3, 16, 16))), ProviderOptions()) if "profile" in key
    ]


def test_tensorrt_cache_prefix_differs_between_models_and_options(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def prefix(given, options):
        return tensorrt_options(given, options)["trt_engine_cache_prefix"]

    same = prefix(DYNAMIC, ProviderOptions())
    assert same == prefix(network(convolution()), ProviderOptions())
    others = [
        prefix(network(convolution(seed=1)), ProviderOptions()),
        prefix(DYNAMIC, ProviderOptions(Precision.FP16)),
        prefix(DYNAMIC, ProviderOptions(max_batch=4)),
    ]
    monkeypatch.setattr(tensorrt, "tensorrt_version", lambda: 101_301)
    others.append(prefix(DYNAMIC, ProviderOptions()))
    assert len({same, *others}) == 5


@pytest.mark.parametrize(("shape", "captured"), [((1, 3, 16, 16), "True"), (("batch", 3, 16, 16), "False")])
def test_tensorrt_records_graphs_of_one_shape_only(shape, captured):
    assert (
        tensorrt_options(network(convolution(shape)), ProviderOptions(cuda_graph=True))["trt_cuda_graph_enable"]
        == captured
    )


@pytest.mark.parametrize(
    ("wanted", "capabilities", "computes"),
    [
        (Precision.AUTO, ("FP32", "BF16", "INT8"), Precision.BF16),
        (Precision.AUTO, ("FP32", "INT8"), Precision.FP32),
        (Precision.FP32, ("FP32", "BF16"), Precision.FP32),
        (Precision.BF16, ("FP32", "BF16"), Precision.BF16),
        (Precision.FP16, ("FP32", "FP16"), Precision.FP16),
        (Precision.BF16, ("FP32", "INT8"), None),
        (Precision.FP16, ("FP32", "BF16"), None),
    ],
)
def test_openvino_precision_follows_cpu_capabilities(wanted, capabilities, computes):
    if computes is None:
        with pytest.raises(UsageError, match=f"cannot compute in {wanted.value} .*reports fp32"):
            choose_precision(DYNAMIC, ProviderOptions(wanted), capabilities)
        return
    precision, notes = choose_precision(DYNAMIC, ProviderOptions(wanted), capabilities)
    assert precision is computes
    assert bool(notes) == (wanted is Precision.AUTO and computes is Precision.BF16)


def test_openvino_caches_only_large_models(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    small = properties(DYNAMIC, ProviderOptions(threads=3), Precision.BF16)
    assert (small["INFERENCE_NUM_THREADS"], small["INFERENCE_PRECISION_HINT"]) == (3, "bf16")
    assert "CACHE_DIR" not in small
    large = properties(CheckedModel(bytes(9 << 20), "net.onnx", ()), ProviderOptions(), Precision.FP32)
    assert large["CACHE_DIR"] == str(tmp_path / "streamdet" / "openvino")


@pytest.mark.parametrize(
    ("text", "most"), [("max 100000", 10**6), ("100000 100000", 1), ("1000 100000", 1), ("nonsense", 10**6)]
)
def test_container_cpu_quota_limits_the_cpus(tmp_path, text, most):
    file = tmp_path / "cpu.max"
    file.write_text(text)
    everything = available_cpus(tmp_path / "missing")
    assert available_cpus(file) == min(most, everything)


@pytest.mark.parametrize(
    ("cpus", "gflops", "threads"), [(1, 0, 1), (1, 400, 1), (2, 1, 1), (2, 400, 2), (8, 1, 7), (8, 400, 8)]
)
def test_heavy_networks_get_every_cpu(monkeypatch, cpus, gflops, threads):
    monkeypatch.setattr(cpu_threads, "available_cpus", lambda: cpus)
    assert default_threads(gflops) == threads


def test_threads_depend_on_the_network_unless_given(monkeypatch):
    monkeypatch.setattr(cpu_threads, "available_cpus", lambda: 4)
    heavy = convolution((1, 3, 2000, 2000), channels=64)  # 13.8 GFLOPs
    assert read_checked_model(heavy.SerializeToString())[1] == 4
    assert read_checked_model(convolution().SerializeToString())[1] == 3
    assert read_checked_model(heavy.SerializeToString(), threads=2)[1] == 2


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("0", "0")])
def test_onnxruntime_telemetry_is_off_before_import(given, expected):
    """Otherwise it stores an id of the machine in the user's cache, and connects to its vendor."""
    program = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Finder())
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
onnxruntime_module()
"""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {} if given is None else {"ORT_DISABLE_TELEMETRY": given}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.split() == [expected], done.stderr
