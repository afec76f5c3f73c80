"""CUDA: outputs equal the CPU's, from fixed buffers, without silent fallback.

Each check is one of `tests/inference/providers/checks.py`, which run on the CPU as well.
"""

import cv2
import numpy as np
import pytest
from onnx import TensorProto

from streamdet.doctor import tiny_model
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.inference.providers import Precision, Provider, ProviderOptions, create_engine
from streamdet.inference.session import Session
from streamdet.picture import Picture
from tests.inference.providers.checks import binding_equals_plain_runs, outputs_outlive_the_next_run
from tests.inference.providers.networks import batch, convolution, network, quantized, with_nms

pytestmark = pytest.mark.gpu

FP32 = ProviderOptions(Precision.FP32)
# Sums of 27 products, added in another order than on the CPU.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
# TF32 and FP16 keep 10 bits of each factor: 27 products of about 1 are off by some thousandths.
ROUGH = {"rtol": 2e-2, "atol": 2e-2}


def on_cpu(model):
    return create_engine(network(model), Provider.CPU, FP32)


def test_equals_the_cpu(cuda):
    ours = create_engine(network(convolution()), cuda, FP32)
    assert ours.precision == "fp32"
    binding_equals_plain_runs(ours, on_cpu(convolution()), [batch(n, n) for n in (1, 3, 2, 3, 1)], **CLOSE)


def test_auto_is_tf32_and_close(cuda):
    ours = create_engine(network(convolution()), cuda, ProviderOptions())
    assert ours.precision == "tf32"
    binding_equals_plain_runs(ours, on_cpu(convolution()), [batch(2)], **ROUGH)


def test_an_fp16_network_computes_in_fp16(cuda):
    half = convolution(dtype=TensorProto.FLOAT16)
    ours = create_engine(network(half, Precision.FP16), cuda, ProviderOptions())
    assert ours.precision == "fp16"
    given = batch(2)
    (expected,) = on_cpu(convolution()).run(given)  # the same weights, before they were rounded
    (found,) = ours.run(given.astype(np.float16))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected, **ROUGH)


def test_quantized_network_is_not_reported_as_int8(cuda):
    ours = create_engine(network(quantized(), Precision.INT8), cuda, FP32)
    assert ours.precision == "fp32"
    assert any("tensorrt" in note for note in ours.notes)
    binding_equals_plain_runs(ours, on_cpu(quantized()), [batch(2)], **CLOSE)


@pytest.mark.parametrize("model", [convolution(), with_nms()], ids=["known-shape", "unknown-shape"])
def test_outputs_belong_to_the_caller(cuda, model):
    outputs_outlive_the_next_run(create_engine(network(model), cuda, FP32), batch(1, 0), batch(1, 1))


def test_outputs_of_unknown_size(cuda):
    batches = [batch(1, 0), np.zeros_like(batch()), batch(1, 1)]
    ours, cpu = create_engine(network(with_nms()), cuda, FP32), on_cpu(with_nms())
    binding_equals_plain_runs(ours, cpu, batches)


def test_inputs_and_outputs_are_in_gpu_memory(cuda):
    ours = create_engine(network(convolution()), cuda, FP32)
    ours.run(batch())
    (buffers,) = ours._binding._buffers.values()
    assert buffers.image.device_name() == "cuda"
    assert [value.device_name() for value in buffers.results] == ["cuda"]


def test_complete_network_runs_on_the_gpu(cuda):
    ours = create_engine(network(convolution()), cuda, ProviderOptions())
    assert not any("another provider" in note for note in ours.notes)


def test_session_reports_cuda(cuda):
    with Session(tiny_model(), provider="cuda", precision="fp32") as session:
        assert session.provider == "cuda"
        assert session.explain.startswith("cuda in fp32, as requested")
    with Session(tiny_model()) as session:
        assert session.provider == "cuda"


def test_cuda_graph_is_recorded_and_replayed(cuda):
    """Each batch size has its own graph; returning to a size replays the recorded graph."""
    ours = create_engine(network(convolution()), cuda, ProviderOptions(Precision.FP32, cuda_graph=True))
    assert "as one CUDA graph" in ours.notes
    batches = [batch(n, seed) for seed, n in enumerate((1, 1, 1, 2, 2, 2, 1, 2))]
    binding_equals_plain_runs(ours, on_cpu(convolution()), batches, **CLOSE)
    outputs_outlive_the_next_run(ours, batch(1, 0), batch(1, 1))


def test_network_without_graph_support_reports_why_and_runs(cuda):
    ours = create_engine(network(with_nms()), cuda, ProviderOptions(Precision.FP32, cuda_graph=True))
    assert any(note.startswith("without the requested CUDA graph: ") for note in ours.notes)
    binding_equals_plain_runs(ours, on_cpu(with_nms()), [batch(1, 0), batch(1, 1)])


def test_detections_equal_the_cpu(cuda, data_dir):
    picture = Picture.from_bgr(cv2.imread(str(sorted((data_dir / "images").glob("*.jpg"))[0])))
    found = {}
    for provider in ("cpu", "cuda"):
        options = DetectorOptions(provider=provider, precision="fp32")
        with load_detector(data_dir / "models" / "yolox_nano.onnx", options) as detector:
            found[provider] = detector.detect([picture] * 3)[2].detections
    np.testing.assert_array_equal(found["cuda"].class_ids, found["cpu"].class_ids)
    np.testing.assert_allclose(found["cuda"].boxes_xyxy, found["cpu"].boxes_xyxy, atol=0.1)
    np.testing.assert_allclose(found["cuda"].scores, found["cpu"].scores, atol=1e-3)
