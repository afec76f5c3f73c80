"""The TensorRT provider around the runtime, with a CPU session in place of a GPU session."""

import pytest

from streamdet.inference.providers import Precision, ProviderOptions, onnxruntime_module, tensorrt
from tests.inference.providers.networks import batch, convolution, network

NO_PROFILE = RuntimeError(
    "[ONNXRuntimeError] : 11 : EP_FAIL : User needs to provide all the dynamic shape inputs with associated profiles "
    "if they want to explicitly set profiles through provider options.\nFollowing input(s) has no associated shape "
    "profiles provided: /Sub_1_output_0"
)
NOT_ALONE = RuntimeError(
    "[ONNXRuntimeError] : 1 : FAIL : This session cannot use the graph capture feature as requested by the user  as "
    "all compute graph nodes have not been partitioned to the TensorrtExecutionProvider"
)


@pytest.fixture
def opened(monkeypatch):
    """Replaces the runtime: records its options, and raises the queued refusals."""
    options_seen, refusals = [], []

    def open_session(data, provider, so, chain):
        options_seen.append(chain[0][1])
        if refusals:
            raise refusals.pop(0)
        return onnxruntime_module().InferenceSession(data, so, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(tensorrt, "open_session", open_session)
    monkeypatch.setattr(tensorrt, "load_libraries", lambda provider: None)
    monkeypatch.setattr(tensorrt, "OnnxEngine", lambda session, precision, notes, device: (session, notes, precision))
    monkeypatch.setattr(tensorrt, "fallback_note", lambda session, provider: "")
    return options_seen, refusals


def test_split_network_runs_without_a_profile(opened):
    options_seen, refusals = opened
    refusals.append(NO_PROFILE)
    session, notes, _ = tensorrt.create_engine(network(convolution()), ProviderOptions())
    assert ["trt_profile_min_shapes" in options for options in options_seen] == [True, False]
    assert options_seen[0]["trt_engine_cache_prefix"] != options_seen[1]["trt_engine_cache_prefix"]
    assert notes[-1] == "an engine is built again for every batch larger than those before"
    session.run(None, {"image": batch()})


def test_other_errors_are_raised(opened):
    options_seen, refusals = opened
    refusals.append(RuntimeError("broken model"))
    with pytest.raises(RuntimeError, match="broken model"):
        tensorrt.create_engine(network(convolution()), ProviderOptions())
    assert len(options_seen) == 1


def test_graph_is_dropped_for_a_split_network_and_the_engine_kept(opened):
    options_seen, refusals = opened
    refusals.append(NOT_ALONE)
    _, notes, _ = tensorrt.create_engine(
        network(convolution((1, 3, 16, 16))), ProviderOptions(Precision.FP16, cuda_graph=True)
    )
    assert [options["trt_cuda_graph_enable"] for options in options_seen] == ["True", "False"]
    assert options_seen[0]["trt_engine_cache_prefix"] == options_seen[1]["trt_engine_cache_prefix"]
    assert notes[-1].startswith("without the requested CUDA graph: as all compute graph nodes")


def test_no_cuda_graph_for_variable_batch_sizes(opened):
    _, notes, _ = tensorrt.create_engine(network(convolution()), ProviderOptions(cuda_graph=True))
    assert notes[-1] == "without the requested CUDA graph: the network takes batches of any size"


@pytest.mark.parametrize(("requested", "runs_in"), [(Precision.FP32, "tf32"), (Precision.BF16, "bf16")])
def test_fp32_is_reported_as_tf32(opened, requested, runs_in):
    _, notes, precision = tensorrt.create_engine(network(convolution()), ProviderOptions(requested))
    assert precision == runs_in
    assert any("NVIDIA_TF32_OVERRIDE" in note for note in notes) == (runs_in == "tf32")
