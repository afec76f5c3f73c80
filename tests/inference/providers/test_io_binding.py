"""I/O binding: the same outputs, without shared memory. On a GPU `tests/gpu` runs the same checks."""

import numpy as np
import pytest

from streamdet.inference.providers import onnxruntime_module
from streamdet.inference.providers.engine import OnnxEngine
from tests.inference.providers.checks import binding_equals_plain_runs, outputs_outlive_the_next_run
from tests.inference.providers.networks import batch, convolution, quantized, with_nms


def engine(model, device):
    options = onnxruntime_module().SessionOptions()
    session = onnxruntime_module().InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return OnnxEngine(session, "fp32", (), device)


@pytest.mark.parametrize("model", [convolution(), quantized()], ids=["convolution", "quantized"])
def test_batches_of_any_size_run(model):
    binding_equals_plain_runs(engine(model, "cpu:0"), engine(model, ""), [batch(n, n) for n in (1, 3, 2, 3, 1)])


def test_outputs_of_unknown_size_are_returned():
    batches = [batch(1, 0), np.zeros_like(batch(1)), batch(1, 1)]
    binding_equals_plain_runs(engine(with_nms(), "cpu:0"), engine(with_nms(), ""), batches)


@pytest.mark.parametrize("model", [convolution(), with_nms()], ids=["known-shape", "unknown-shape"])
def test_outputs_belong_to_the_caller(model):
    outputs_outlive_the_next_run(engine(model, "cpu:0"), batch(1, 0), batch(1, 1))


def test_buffers_are_allocated_once_per_shape():
    bound = engine(convolution(), "cpu:0")
    bound.run(batch(2, 0))
    address = bound._binding._buffers[(2, 3, 16, 16)].image.data_ptr()
    bound.run(batch(1, 1))
    bound.run(batch(2, 2))
    assert bound._binding._buffers[(2, 3, 16, 16)].image.data_ptr() == address
    assert len(bound._binding._buffers) == 2


def test_non_contiguous_batch_gives_the_same_result():
    whole = np.random.default_rng(0).standard_normal((1, 3, 16, 32), dtype=np.float32)
    plain = engine(convolution(), "")
    expected = plain.run(np.ascontiguousarray(whole[..., ::2]))[0]
    np.testing.assert_array_equal(engine(convolution(), "cpu:0").run(whole[..., ::2])[0], expected)


@pytest.mark.parametrize("wrong", [batch().astype(np.float64), batch()[:, :2], batch()[0]], ids=["type", "c", "rank"])
def test_wrong_batch_is_rejected(wrong):
    bound = engine(convolution(), "cpu:0")
    bound.run(batch())
    with pytest.raises(Exception, match=r"data type|Got invalid dimensions|Invalid rank"):
        bound.run(wrong)
    bound.run(batch())
