"""TensorRT: outputs equal the CPU's, and engines are built once."""

import time

import numpy as np
import pytest

from streamdet.cache import private_dir
from streamdet.inference.providers import Precision, Provider, ProviderOptions, create_engine
from tests.inference.providers.checks import binding_equals_plain_runs, outputs_outlive_the_next_run
from tests.inference.providers.networks import batch, convolution, network, quantized

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

FP32 = ProviderOptions(Precision.FP32, max_batch=4)


def engines():
    folder = private_dir("tensorrt")
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.engine")}


@pytest.mark.parametrize(
    ("precision", "tolerance"), [(Precision.FP32, 2e-2), (Precision.FP16, 2e-2), (Precision.BF16, 1e-1)]
)
def test_equals_the_cpu(tensorrt, precision, tolerance):
    """TensorRT takes TF32 for FP32 where the GPU has it."""
    ours = create_engine(network(convolution()), tensorrt, ProviderOptions(precision, max_batch=4))
    cpu = create_engine(network(convolution()), Provider.CPU, FP32)
    assert ours.precision == ("tf32" if precision is Precision.FP32 else precision.value)
    assert not any("another provider" in note for note in ours.notes)
    batches = [batch(n, n) for n in (1, 4, 2, 1)]
    binding_equals_plain_runs(ours, cpu, batches, rtol=tolerance, atol=tolerance)


def test_a_quantized_network_runs_in_int8(tensorrt):
    model = network(quantized(), Precision.INT8)
    ours = create_engine(model, tensorrt, ProviderOptions(Precision.INT8))
    assert ours.precision == "int8"
    assert not any("another provider" in note for note in ours.notes)
    cpu = create_engine(model, Provider.CPU, ProviderOptions())
    binding_equals_plain_runs(ours, cpu, [batch(2)], rtol=1e-3, atol=1e-3)  # products of integers are exact


def test_outputs_belong_to_the_caller(tensorrt):
    outputs_outlive_the_next_run(create_engine(network(convolution()), tensorrt, FP32), batch(1, 0), batch(1, 1))


def test_one_engine_serves_all_batch_sizes_and_the_next_start(tensorrt):
    first = create_engine(network(convolution()), tensorrt, FP32)
    start = time.perf_counter()
    expected = first.run(batch(1))[0]
    first.run(batch(4))
    build_s = time.perf_counter() - start
    built = engines()
    assert len(built) == 1
    assert all(name.startswith("streamdet_") for name in built)
    again = create_engine(network(convolution()), tensorrt, FP32)
    np.testing.assert_array_equal(again.run(batch(1))[0], expected)
    assert engines() == built, f"an engine was built again (the first took {build_s:.1f} s)"


def test_different_network_gets_a_different_engine(tensorrt):
    """The runtime identifies a cached engine by its name alone."""
    create_engine(network(convolution(seed=0)), tensorrt, FP32).run(batch())
    other = create_engine(network(convolution(seed=1)), tensorrt, FP32)
    cpu = create_engine(network(convolution(seed=1)), Provider.CPU, FP32)
    binding_equals_plain_runs(other, cpu, [batch()], rtol=2e-2, atol=2e-2)
    assert len(engines()) == 2


@pytest.mark.parametrize(("shape", "captured"), [((1, 3, 16, 16), True), (("batch", 3, 16, 16), False)])
def test_cuda_graph_only_for_fixed_shapes(tensorrt, shape, captured):
    ours = create_engine(network(convolution(shape)), tensorrt, ProviderOptions(Precision.FP32, cuda_graph=True))
    assert any("without the requested CUDA graph" in note for note in ours.notes) != captured
    cpu = create_engine(network(convolution(shape)), Provider.CPU, FP32)
    binding_equals_plain_runs(ours, cpu, [batch(1, seed) for seed in range(4)], rtol=2e-2, atol=2e-2)
