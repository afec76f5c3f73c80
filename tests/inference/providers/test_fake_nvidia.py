"""ONNX Runtime accepts our CUDA and TensorRT options: fake NVIDIA libraries open sessions without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamdet.inference.providers import missing_driver
from tests.inference.providers.fake_nvidia import nvidia

pytestmark = pytest.mark.skipif(missing_driver() is None, reason="this machine has an NVIDIA driver")

PROGRAM = """
import json
import numpy as np
from streamdet.inference.providers import Precision, Provider, ProviderOptions, create_engine
from tests.inference.providers.networks import batch, convolution, network, with_nms

plain = create_engine(network(convolution()), Provider.CUDA, ProviderOptions(Precision.FP32))
graph = create_engine(network(convolution()), Provider.CUDA, ProviderOptions(cuda_graph=True))
unknown = create_engine(network(with_nms()), Provider.CUDA, ProviderOptions(cuda_graph=True))
buffers = plain._binding._bind((2, 3, 16, 16))
buffers.image.update_inplace(batch(2))
provider_options = plain._session.get_provider_options()["CUDAExecutionProvider"]
print(json.dumps({
    "providers": plain._session.get_providers(),
    "provider_options": provider_options,
    "notes": [plain.notes, graph.notes, unknown.notes],
    "memory": [buffers.image.device_name(), *(value.device_name() for value in buffers.results)],
    "copied": bool(np.array_equal(buffers.image.numpy(), batch(2))),
}))
"""


TENSORRT = """
import json, sys
from streamdet.inference.providers import Precision, ProviderOptions, onnxruntime_module
from streamdet.inference.providers.tensorrt import tensorrt_options
from tests.inference.providers.networks import convolution, network

given = network(convolution())
provider_options = tensorrt_options(given, ProviderOptions(Precision.FP16)) | json.loads(sys.argv[1])
print("requested", flush=True)
providers = [("TensorrtExecutionProvider", provider_options)]
onnxruntime_module().InferenceSession(given.data, providers=providers, enable_fallback=0)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = nvidia(tmp_path_factory.mktemp("nvidia"))
    cache = tmp_path_factory.mktemp("cache")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "XDG_CACHE_HOME": str(cache)}
    root = Path(__file__).parents[3]
    return lambda *command: subprocess.run(
        [sys.executable, "-c", *command], capture_output=True, text=True, cwd=root, env=environment, timeout=60
    )


@pytest.fixture(scope="module")
def found(run):
    done = run(PROGRAM)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({}, None),
        ({"trt_nonsense": "1"}, "Invalid TensorRT EP option: trt_nonsense"),
        ({"trt_fp16_enable": "1"}, "The value for the key 'trt_fp16_enable' should be 'True' or 'False'"),
    ],
    ids=["our options", "unknown option", "value format of CUDA"],
)
def test_tensorrt_checks_every_option(run, more, refusal):
    """Options are read before anything is built; the fake TensorRT then builds nothing, which ends the process."""
    done = run(TENSORRT, json.dumps(more))
    assert done.stdout == "requested\n"
    if refusal is None:
        assert done.returncode < 0, done.stderr
    else:
        assert done.returncode == 1
        assert refusal in done.stderr


def test_cuda_options_reach_the_provider(found):
    assert found["providers"][0] == "CUDAExecutionProvider"
    wanted = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": "0"}
    wanted |= {"device_id": "0", "enable_cuda_graph": "0", "cudnn_conv_use_max_workspace": "1"}
    assert wanted.items() <= found["provider_options"].items()


def test_cuda_graph_needs_known_shapes(found):
    plain, graph, unknown = found["notes"]
    assert plain == []
    assert "as one CUDA graph" in graph
    assert unknown[-1].startswith("without the requested CUDA graph: the shapes of its outputs")


def test_buffers_are_in_device_memory(found):
    assert found["memory"] == ["cuda", "cuda"]
    assert found["copied"]
