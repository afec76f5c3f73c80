"""Reads ONNX files without running them, and refuses what must not reach a runtime."""

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
"""Largest model file that is read; detectors are far smaller, and a wrong path should not fill the memory."""

# "" and ai.onnx are the standard; the others are compiled into ONNX Runtime (quantised models use com.microsoft).
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "com.microsoft", "com.microsoft.nchwc"})
_LOOKS_LIKE = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: run git lfs pull",
    b"<": "a web page or XML: the download went wrong, or it is OpenVINO's: give the ONNX file it came from",
    b"PK\x03\x04": "a zip archive or a PyTorch checkpoint: export the model to ONNX",
    b"ORTM": "ONNX Runtime's own .ort format: give the .onnx file it was made from",
}


class ModelFile(NamedTuple):
    """What is in a model's file, read once: what was checked is what runs.

    Attributes:
        data: the whole file.
        name: for messages, its path; another word where it was no file.
    """

    data: bytes
    name: str


def read_model(model: Path | bytes | ModelFile) -> ModelFile:
    """Reads a model, unless it has been read.

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
            raise ModelError(f"{name} is no ordinary file; give the .onnx file")
        size = status.st_size
        if size > MAX_BYTES:
            raise ModelError(f"{name} has {size / 2**20:.0f} MiB; models of up to {MAX_BYTES // 2**20} MiB are read")
        return ModelFile(model.read_bytes(), name)
    except IsADirectoryError:
        raise ModelError(f"{name} is a directory; give the .onnx file") from None
    except FileNotFoundError:
        raise ModelError(f"{name} does not exist; `streamdet models list` shows what can be had by name") from None
    except OSError as error:
        raise ModelError(f"cannot read {name}: {error.strerror}") from None


def parse_onnx(data: bytes, name: str) -> onnx.ModelProto:
    """Parses a model, and refuses bytes that are no self-contained ONNX model.

    External data is refused because its paths could name any file; operators of other domains because nothing here
    loads code for them.

    Args:
        data: the whole file.
        name: for messages.

    Raises:
        ModelError: not ONNX, cut off, external data, or operators that are not ONNX Runtime's own.
    """
    import onnx
    from google.protobuf.message import DecodeError

    for start, what in _LOOKS_LIKE.items():
        if data.lstrip()[: len(start)] == start:
            raise ModelError(f"{name} is not an ONNX model but {what}")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        raise ModelError(f"{name} is not an ONNX model, or only a part of one: export or download it again") from None
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{name} is not an ONNX model: there is no graph in it")
    own = {function.domain for function in model.functions}
    for node in _nodes(model):
        if not node.output:
            raise ModelError(f"{name} is not an ONNX model: its operator {redact(node.op_type)} has no output")
        if node.domain not in _KNOWN_DOMAINS | own:
            what = f"{redact(node.domain)}.{redact(node.op_type)}"
            raise ModelError(f"{name} needs the custom operator {what}; export it with standard operators")
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError(f"{name} keeps its weights in other files, which is not read: save it as a single file")
    return model


def operator_types(model: onnx.ModelProto) -> set[str]:
    """Returns the types of all operators in a model."""
    return {node.op_type for node in _nodes(model)}


def _graphs(model: onnx.ModelProto) -> Iterator[Any]:
    """Yields the main graph and every graph nested in it, and every function: all that has nodes."""
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
    """Returns the signature of a parsed model; weights that old files list among the inputs are left out."""
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
