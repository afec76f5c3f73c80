"""The CUDA provider around the runtime, with a CPU session in place of a GPU session."""

from functools import partial

import pytest

from streamdet.inference.providers import (
    Provider,
    ProviderMissing,
    ProviderOptions,
    cuda,
    nvidia_libraries,
    onnxruntime_module,
)
from streamdet.inference.providers.onnx_session import fallback_note, session_options
from tests.inference.providers.networks import batch, convolution, network, with_nms


class Opened:
    """Replaces `open_session`: raises the given refusal of a graph, as the runtime does, and records the requests."""

    def __init__(self, refusal=None):
        self.refusal = refusal
        self.graphs = []

    def __call__(self, data, provider, so, chain):
        self.graphs.append(chain[0][1]["enable_cuda_graph"])
        if self.refusal and chain[0][1]["enable_cuda_graph"] == "1":
            raise self.refusal
        return onnxruntime_module().InferenceSession(data, so, providers=["CPUExecutionProvider"])


def open_cuda(model, options):
    return cuda.open_with_graph(partial(cuda._open, network(model)), options)


CONTROL_FLOW = RuntimeError(
    "[ONNXRuntimeError] : 1 : FAIL : This session cannot use the graph capture feature as requested by the user as the "
    "model has control flow nodes which can't be supported by CUDAExecutionProvider"
)


@pytest.mark.parametrize(
    ("model", "refusal", "requested", "note"),
    [
        (convolution(), None, ["1"], "as one CUDA graph"),
        (
            convolution(),
            CONTROL_FLOW,
            ["1", "0"],
            "without the requested CUDA graph: as the model has control",
        ),
        (with_nms(), None, ["1", "0"], "without the requested CUDA graph: the shapes of its outputs"),
    ],
    ids=["recorded", "control-flow", "unknown-shape"],
)
def test_cuda_graph_is_recorded_or_the_reason_is_reported(monkeypatch, model, refusal, requested, note):
    opened = Opened(refusal)
    monkeypatch.setattr(cuda, "open_session", opened)
    session, reported = open_cuda(model, ProviderOptions(cuda_graph=True))
    assert opened.graphs == requested
    assert reported.startswith(note)
    session.run(None, {"image": batch()})


def test_no_cuda_graph_unless_requested(monkeypatch):
    opened = Opened()
    monkeypatch.setattr(cuda, "open_session", opened)
    assert open_cuda(convolution(), ProviderOptions())[1] == ""
    assert opened.graphs == ["0"]


@pytest.mark.parametrize("error", [ProviderMissing(Provider.CUDA, "gone"), RuntimeError("broken model")])
def test_errors_unrelated_to_graphs_are_raised(monkeypatch, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr(cuda, "open_session", refuse)
    with pytest.raises(type(error), match=str(error)[:12]):
        open_cuda(convolution(), ProviderOptions(cuda_graph=True))


def test_operators_on_another_provider_are_counted():
    data = with_nms().SerializeToString()
    session = onnxruntime_module().InferenceSession(
        data, session_options(ProviderOptions()), providers=["CPUExecutionProvider"]
    )
    assert fallback_note(session, Provider.CPU) == ""
    said = fallback_note(session, Provider.CUDA)
    assert "operators run on another provider: " in said
    assert "NonZero" in said


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "/onnxruntime_src/cuda_call.cc:129 bool onnxruntime::CudaCall(...) CUDA failure 35: CUDA driver version is "
            "insufficient for CUDA runtime version ; GPU=0 ; hostname=box ; file=/onnxruntime_src/x.cc ; line=5",
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
        ),
        ("[ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model", None),
    ],
    ids=["the driver's fault", "the model's fault"],
)
def test_driver_errors_are_not_model_errors(monkeypatch, message, reason):
    def refuse(*_, **__):
        raise RuntimeError(message)

    monkeypatch.setattr(onnxruntime_module(), "InferenceSession", refuse)
    with pytest.raises((ProviderMissing, RuntimeError)) as caught:
        open_cuda(convolution(), ProviderOptions())
    assert getattr(caught.value, "reason", None) == reason


@pytest.mark.parametrize("missing", ["libcudnn.so.9", "libcublasLt.so.13", None])
def test_missing_library_is_named(monkeypatch, missing):
    """A session opens without cuDNN, and the first convolution fails."""
    loaded = []

    def load(name):
        loaded.append(name)
        if missing and name.endswith(missing):
            raise OSError(f"{missing}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(nvidia_libraries.sys, "platform", "linux")
    monkeypatch.setattr(nvidia_libraries.ctypes, "CDLL", load)
    monkeypatch.setattr(nvidia_libraries, "missing_driver", lambda: None)
    monkeypatch.setattr(nvidia_libraries, "preload_libraries", lambda: None)
    monkeypatch.setattr(onnxruntime_module(), "get_available_providers", lambda: [Provider.CUDA.value])
    if missing is None:
        nvidia_libraries.load_libraries(Provider.CUDA)
        assert loaded[-1] == "libcudnn.so.9"
        return
    with pytest.raises(ProviderMissing, match=f"cuda is not available: {missing}: cannot open"):
        nvidia_libraries.load_libraries(Provider.CUDA)
