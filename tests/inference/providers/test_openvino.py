"""OpenVINO, through its plug-in if that supports this CPU, and through its own runtime."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from streamdet.doctor import tiny_model
from streamdet.errors import HardwareError, ModelError
from streamdet.inference.providers import Precision, Provider, ProviderMissing, ProviderOptions, create_engine, openvino
from streamdet.inference.providers.openvino import openvino_devices
from streamdet.inference.session import Session
from streamdet.openvino_runtime import has_openvino
from tests.inference.providers.checks import binding_equals_plain_runs, outputs_outlive_the_next_run
from tests.inference.providers.networks import batch, convolution, network, quantized, with_nms

FP32 = ProviderOptions(Precision.FP32)


def no_plugin():
    raise ProviderMissing(Provider.OPENVINO, "no such plug-in")


@pytest.fixture(params=["plug-in", "own"])
def make(request, monkeypatch):
    """Loads a network with the plug-in, or with OpenVINO's own runtime."""
    if request.param == "plug-in":
        if importlib.util.find_spec("onnxruntime_ep_openvino") is None:
            pytest.skip("the package onnxruntime-ep-openvino is not installed")
        if not openvino_devices():
            pytest.skip("the plug-in does not support this processor")
    else:
        if not has_openvino():
            pytest.skip("the package openvino is not installed")
        monkeypatch.setattr(openvino, "_plugin_device", no_plugin)
    return lambda model, options=FP32, **kwargs: create_engine(network(model, **kwargs), Provider.OPENVINO, options)


def test_equals_the_cpu(make):
    for model in (convolution(), with_nms()):
        cpu = create_engine(network(model), Provider.CPU, FP32)
        ours = make(model)
        assert [port.name for port in ours.outputs] == [port.name for port in cpu.outputs]
        assert ours.precision == "fp32"
        binding_equals_plain_runs(ours, cpu, [batch(1, n) for n in range(2)], rtol=1e-4, atol=1e-5)


def test_outputs_keep_their_names(make):
    """OpenVINO removes steps that change nothing, and one tensor then has the names of several."""
    model = convolution()
    model.graph.output[0].name = "out"
    model.graph.node.extend(
        [helper.make_node("Identity", ["y"], ["same"]), helper.make_node("Identity", ["same"], ["out"])]
    )
    assert [port.name for port in make(model).outputs] == ["out"]


def test_batches_of_any_size_run(make):
    cpu = create_engine(network(convolution()), Provider.CPU, FP32)
    binding_equals_plain_runs(make(convolution()), cpu, [batch(n, n) for n in (2, 1, 3)], rtol=1e-4, atol=1e-5)


def test_outputs_belong_to_the_caller(make):
    outputs_outlive_the_next_run(make(convolution()), batch(1, 0), batch(1, 1))


def test_a_quantized_network_is_int8(make):
    ours = make(quantized(), ProviderOptions(Precision.INT8), weights=Precision.INT8)
    assert ours.precision == "int8"
    cpu = create_engine(network(quantized(), Precision.INT8), Provider.CPU, FP32)
    binding_equals_plain_runs(ours, cpu, [batch(2)], rtol=0.02, atol=0.5)  # the last sums are rounded to bf16


def test_auto_is_bf16_only_where_the_processor_has_it(make):
    ours = make(convolution(), ProviderOptions())
    assert ours.precision in ("bf16", "fp32")
    expected = create_engine(network(convolution()), Provider.CPU, FP32).run(batch())[0]
    error = np.abs(ours.run(batch())[0] - expected).max() / np.abs(expected).max()
    if ours.precision == "bf16":
        assert "--precision fp32" in ours.notes[0]
    assert error < (0.02 if ours.precision == "bf16" else 1e-5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (batch()[:, :2], "failed on a batch of float32 (1, 2, 16, 16): Can't set the input tensor"),
        (batch().astype(np.float64), "Unexpected input data type"),
    ],
    ids=["shape", "type"],
)
def test_wrong_batch_error_is_one_line(monkeypatch, given, words):
    if not has_openvino():
        pytest.skip("the package openvino is not installed")
    monkeypatch.setattr(openvino, "_plugin_device", no_plugin)
    model = convolution().SerializeToString()
    with Session(model, provider="openvino") as session, pytest.raises(ModelError) as caught:
        session.run(given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_plugin_and_openvino_is_an_error(monkeypatch):
    monkeypatch.setattr(openvino, "_plugin_device", no_plugin)
    monkeypatch.setattr(openvino, "has_openvino", lambda: False)
    with pytest.raises(
        HardwareError, match=r"and the package openvino is not installed; install it with: pip install openvino"
    ):
        Session(tiny_model(), provider="openvino")


@pytest.mark.skipif(not has_openvino(), reason="the package openvino is not installed")
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_after_overlapping_sessions():
    """OpenVINO cores that are freed in the order of their creation leave a freed signal stack."""
    program = """
import signal
from streamdet.inference.providers import openvino
from streamdet.inference.session import Session
from streamdet.doctor import tiny_model
from tests.inference.providers.test_openvino import no_plugin
openvino._plugin_device = no_plugin
first = Session(tiny_model(), provider="openvino")
second = Session(tiny_model(), provider="openvino")
first.close()
second.close()
del first, second
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("raised")
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stdout) == (0, "raised\n"), done.stderr


@pytest.mark.skipif(not has_openvino(), reason="the package openvino is not installed")
def test_openvino_telemetry_is_off():
    """OpenVINO's import starts a thread that sends usage statistics."""
    program = """
import sys, threading
from streamdet.openvino_runtime import openvino_module
openvino_module().Core()
print(threading.active_count(), "openvino_telemetry" in sys.modules)
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert done.stdout.split() == ["1", "False"], done.stderr
