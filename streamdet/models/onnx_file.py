"""Reads ONNX files without running them, and rejects models that must not reach a runtime."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streamdet.errors import ModelError
from streamdet.model_spec.signature import Signature, TensorInfo
from streamdet.redact import redact

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 512 * 2**20
"""Maximum size of a model file; detectors are far smaller, and a wrong path should not fill the memory."""

# "" and ai.onnx are the standard; the others are compiled into ONNX Runtime (quantized models use com.microsoft).
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "com.microsoft", "com.microsoft.nchwc"})
_OTHER_FORMATS = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: run git lfs pull",
    b"<": "a web page or XML: the download failed, or it is OpenVINO's: give the ONNX file that it was converted from",
    b"PK\x03\x04": "a zip archive or a PyTorch checkpoint: export the model to ONNX",
    b"ORTM": "ONNX Runtime's own .ort format: give the .onnx file that it was made from",
}


class ModelFile(NamedTuple):
    """The content of a model file, read once, so that the checked content is what runs.

    Attributes:
        data: content of the file.
        name: its path, or another name for messages if it is no file.
    """

    data: bytes
    name: str


def read_model(model: Path | bytes | ModelFile) -> ModelFile:
    """Reads a model file; returns a `ModelFile` unchanged.

    Raises:
        ModelError: the file is missing, unreadable or too large.
    """
    if isinstance(model, ModelFile):
        return model
    if isinstance(model, bytes):
        return ModelFile(model, "the model")
    name = str(model)
    try:
        status = model.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):  # reading a pipe may never end
            raise ModelError(f"{name} is not a regular file; give the .onnx file")
        size = status.st_size
        if size > MAX_BYTES:
            raise ModelError(f"{name} has {size / 2**20:.0f} MiB; models of up to {MAX_BYTES // 2**20} MiB are read")
        return ModelFile(model.read_bytes(), name)
    except IsADirectoryError:
        raise ModelError(f"{name} is a directory; give the .onnx file") from None
    except FileNotFoundError:
        raise ModelError(f"{name} does not exist; `streamdet models list` shows the known models") from None
    except OSError as error:
        raise ModelError(f"cannot read {name}: {error.strerror}") from None


def parse_onnx(data: bytes, name: str) -> onnx.ModelProto:
    """Parses an ONNX model, and rejects models that are not self-contained.

    External data is rejected because its paths could name any file, and operators of other domains because streamdet
    loads no code for them.

    Args:
        data: content of the file.
        name: name in messages.

    Raises:
        ModelError: not ONNX, incomplete, external data, or operators that ONNX Runtime does not include.
    """
    import onnx
    from google.protobuf.message import DecodeError

    for start, description in _OTHER_FORMATS.items():
        if data.lstrip()[: len(start)] == start:
            raise ModelError(f"{name} is not an ONNX model but {description}")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        raise ModelError(f"{name} is not an ONNX model, or only a part of one: export or download it again") from None
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{name} is not an ONNX model: there is no graph in it")
    own_domains = {function.domain for function in model.functions}
    for node in _nodes(model):
        if not node.output:
            raise ModelError(f"{name} is not an ONNX model: its operator {redact(node.op_type)} has no output")
        if node.domain not in _KNOWN_DOMAINS | own_domains:
            operator = f"{redact(node.domain)}.{redact(node.op_type)}"
            raise ModelError(f"{name} needs the custom operator {operator}; export it with standard operators")
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError(f"{name} keeps its weights in other files, which is not supported: save it as one file")
    return model


def operator_types(model: onnx.ModelProto) -> set[str]:
    """Returns the types of all operators in a model."""
    return {node.op_type for node in _nodes(model)}


def _graphs(model: onnx.ModelProto) -> Iterator[Any]:
    """Yields the main graph, every graph nested in it, and every function."""
    waiting = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _nodes(model: onnx.ModelProto) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from graph.node


def _tensors(model: onnx.ModelProto) -> Iterator[Any]:
    """Yields every stored tensor: initializers and attributes, dense and sparse."""
    sparse = []
    for graph in _graphs(model):
        if hasattr(graph, "initializer"):  # a function has none
            yield from graph.initializer
            sparse += graph.sparse_initializer
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                sparse += [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
                sparse += attribute.sparse_tensors
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def onnx_signature(model: onnx.ModelProto) -> Signature:
    """Returns the signature of a parsed model, without the weights that old files list among the inputs."""
    import onnx

    weights = {tensor.name for tensor in model.graph.initializer}

    def port(value: onnx.ValueInfoProto) -> TensorInfo:
        tensor = value.type.tensor_type
        shape = tuple(d.dim_value or d.dim_param or None for d in tensor.shape.dim)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type) if tensor.elem_type else np.dtype(np.float32)
        return TensorInfo(value.name, shape, dtype)

    inputs = tuple(port(value) for value in model.graph.input if value.name not in weights)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Signature(inputs, tuple(port(value) for value in model.graph.output), metadata)
