"""Sessions: the requested provider runs, and an invalid model file is one clear line."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdet.doctor import tiny_model
from streamdet.errors import HardwareError, ModelError, UsageError
from streamdet.inference import providers
from streamdet.inference.providers import cuda
from streamdet.inference.session import Session
from streamdet.models.onnx_file import MAX_BYTES, parse_onnx, read_model

X = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)


def model_of(nodes, inputs=("x",), domains=(), initializers=(), functions=(), shape=("batch", 4)):
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(initializers),
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))


def relu(**kwargs):
    return model_of([helper.make_node("Relu", ["x"], ["y"])], **kwargs)


def external(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def with_external_weights():
    weight = external(numpy_helper.from_array(np.ones(4, np.float32), "w"))
    return model_of([helper.make_node("Add", ["x", "w"], ["y"])], initializers=[weight])


def with_external_constant():
    value = external(numpy_helper.from_array(np.ones(4, np.float32), "v"))
    nodes = [helper.make_node("Constant", [], ["w"], value=value), helper.make_node("Add", ["x", "w"], ["y"])]
    return model_of(nodes)


def with_external_sparse():
    model = relu()
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(external(numpy_helper.from_array(np.ones(1, np.float32), "s")))
    return model


def with_external_in_a_branch():
    value = external(numpy_helper.from_array(np.ones(4, np.float32), "v"))
    out = [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    branch = helper.make_graph([helper.make_node("Constant", [], ["b"], value=value)], "branch", [], out)
    condition = numpy_helper.from_array(np.array(True), "c")
    return model_of(
        [helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], initializers=[condition]
    )


def test_session_runs_and_reports_its_provider():
    with Session(tiny_model(), provider="cpu") as session:
        assert session.provider == "cpu"
        assert session.explain == "cpu in fp32, as requested"
        assert (session.input.name, session.input.shape, session.input.dtype) == ("x", (1, 1, 8, 8), np.float32)
        assert [tensor.name for tensor in session.outputs] == ["y"]
        got = session.run(X)["y"]
    expected = sum(
        np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))[..., r : r + 8, c : c + 8] for r in range(3) for c in range(3)
    )
    np.testing.assert_allclose(got, expected / 9, rtol=1e-5)


def test_outputs_belong_to_the_caller():
    with Session(tiny_model(), provider="cpu") as session:
        batch = X.copy()
        first = session.run(batch)["y"]
        kept = first.copy()
        batch[:] = 0
        session.run(batch)
        np.testing.assert_array_equal(first, kept)


def test_dynamic_axes_keep_their_names():
    with Session(relu().SerializeToString(), provider="cpu") as session:
        assert session.input.shape == ("batch", 4)
        assert session.run(np.full((3, 4), -1, np.float32))["y"].shape == (3, 4)


def test_auto_reports_skipped_providers():
    with Session(tiny_model()) as session:
        assert session.provider in ("cpu", "cuda", "openvino")
        assert session.explain.startswith(f"{session.provider} in {session.precision}, the best that works here")
        if session.provider != "cuda":
            assert "no cuda: " in session.explain
        if session.provider == "cpu":
            assert "no openvino: " in session.explain
        if session.precision == "bf16":
            assert "; this processor has instructions for it, --precision fp32 for full precision" in session.explain
        assert "\n" not in session.explain


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (np.zeros((1, 1, 8, 9), np.float32), "Got: 9 Expected: 8"),
        (np.zeros((1, 1, 8, 8), np.float64), "Unexpected input data type"),
    ],
    ids=["shape", "type"],
)
def test_wrong_batch_error_is_one_line(batch, words):
    with Session(tiny_model(), provider="cpu") as session, pytest.raises(ModelError) as caught:
        session.run(batch)
    message = str(caught.value)
    assert message.startswith(f"the model failed on a batch of {batch.dtype} {batch.shape}")
    assert words in message
    assert "\n" not in message
    assert "ONNXRuntimeError" not in message


def test_closed_session_raises():
    session = Session(tiny_model(), provider="cpu")
    session.close()
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.run(X)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "no graph", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "not an ONNX model", id="picture"),
        pytest.param(b"not a model " * 50, "not an ONNX model", id="text"),
        pytest.param(tiny_model()[:-5], "only a part of one", id="cut-off"),
        pytest.param(b"\n<!DOCTYPE html>", "a web page", id="web-page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull", id="lfs-pointer"),
        pytest.param(b"PK\x03\x04rest", "PyTorch checkpoint", id="zip"),
        pytest.param(relu(inputs=("x", "z")).SerializeToString(), "2 inputs (x, z)", id="two-inputs"),
        pytest.param(model_of([helper.make_node("Nope", ["x"], ["y"])]).SerializeToString(), "Nope", id="unknown-op"),
        pytest.param(
            model_of([helper.make_node("Nms", ["x"], ["y"], domain="acme")], domains=["acme"]).SerializeToString(),
            "custom operator acme.Nms",
            id="custom-op",
        ),
        pytest.param(with_external_weights().SerializeToString(), "one file", id="external-initializer"),
        pytest.param(with_external_constant().SerializeToString(), "one file", id="external-attribute"),
        pytest.param(with_external_sparse().SerializeToString(), "one file", id="external-sparse"),
        pytest.param(with_external_in_a_branch().SerializeToString(), "one file", id="external-in-a-branch"),
    ],
)
def test_invalid_model_error_is_one_line(data, words, tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        Session(path, provider="cpu")
    message = str(caught.value)
    assert words in message
    assert str(path) in message
    assert "\n" not in message


def test_model_functions_are_not_custom_operators():
    body = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model = model_of([helper.make_node("Twice", ["x"], ["y"], domain="own")], domains=["own"], functions=[body])
    with Session(model.SerializeToString(), provider="cpu") as session:
        np.testing.assert_array_equal(session.run(np.ones((1, 4), np.float32))["y"], np.full((1, 4), 2))


def test_unreadable_files_are_errors(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        read_model(tmp_path / "missing.onnx")
    with pytest.raises(ModelError, match="is a directory"):
        read_model(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.onnx")
        with pytest.raises(ModelError, match="is not a regular file"):
            read_model(tmp_path / "pipe.onnx")
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # takes no space on the disk
    with pytest.raises(ModelError, match="models of up to 512 MiB"):
        read_model(large)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"provider": "gpu"}, "unknown provider 'gpu'; choose one of auto, "),
        ({"precision": "half"}, "unknown precision 'half'"),
        ({"precision": "int8"}, "is not quantized"),
        ({"provider": "cpu", "precision": "fp16"}, "cpu provider cannot compute in fp16 (it can do auto, fp32, int8)"),
    ],
    ids=["provider", "precision", "int8", "fp16"],
)
def test_usage_errors_name_the_choices(kwargs, words):
    with pytest.raises(UsageError) as caught:
        Session(tiny_model(), **kwargs)
    assert words in str(caught.value)


def test_quantized_model_runs_in_int8():
    scale, zero = (numpy_helper.from_array(np.array(v), n) for n, v in (("s", np.float32(0.5)), ("z", np.uint8(0))))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    data = model_of(nodes, initializers=[scale, zero]).SerializeToString()
    with Session(data, provider="cpu", precision="int8") as session:
        np.testing.assert_array_equal(session.run(np.full((1, 4), 1.2, np.float32))["y"], np.ones((1, 4)))


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_an_nvidia_provider_without_driver_names_the_library(provider, capfd):
    if providers.missing_driver() is None:
        pytest.skip("this machine has an NVIDIA driver")
    with pytest.raises(HardwareError) as caught:
        Session(tiny_model(), provider=provider)
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert message.startswith(f"{provider} is not available: ")
    assert "libcuda.so.1" in message or "built without it" in message or sys.platform != "linux"
    assert 'pip install "onnxruntime-gpu[cuda,cudnn]"' in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")  # the runtime's own lines would hide ours


def test_silent_fallback_to_cpu_is_an_error(monkeypatch):
    """ONNX Runtime falls back to the CPU if CUDA does not start; a session must not hide that."""
    ort = providers.onnxruntime_module()
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this ONNX Runtime is built without CUDA")
    real = ort.InferenceSession
    monkeypatch.setattr(
        ort, "InferenceSession", lambda data, so, **_: real(data, so, providers=["CPUExecutionProvider"])
    )
    monkeypatch.setattr(cuda, "load_libraries", lambda provider: None)
    with pytest.raises(HardwareError, match="it did not start"):
        Session(tiny_model(), provider="cuda")


def test_idle_threads_do_not_spin():
    """Spinning threads of an idle session would take the CPUs that decode and draw."""
    program = """
import time
from streamdet.inference.session import Session
from streamdet.doctor import tiny_model
import numpy as np
session = Session(tiny_model(), provider="cpu", threads=4)
session.run(np.zeros((1, 1, 8, 8), np.float32))
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, env=os.environ)
    assert float(done.stdout) < 0.25, done.stderr


def test_fuzzed_models_raise_only_model_errors():
    data = tiny_model()
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for position in random.integers(0, len(data), 3):
            broken[position] ^= 1 << int(random.integers(8))
        with contextlib.suppress(ModelError):
            parse_onnx(bytes(broken), "fuzzed")


def test_yolox_output_is_finite_and_has_the_expected_shape(data_dir):
    with Session(data_dir / "models" / "yolox_nano.onnx", provider="cpu") as session:
        assert session.input.shape == (1, 3, 416, 416)
        output = session.run(np.full((1, 3, 416, 416), 114, np.float32))["output"]
    assert output.shape == (1, 3549, 85)
    assert np.isfinite(output).all()
