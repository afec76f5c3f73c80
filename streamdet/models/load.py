"""Opens ONNX files without running them, and without touching any file they point to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import ModelError

if TYPE_CHECKING:
    import onnx


def parse(path: Path) -> onnx.ModelProto:
    """Returns a parsed model; weights kept in other files are not read.

    Raises:
        ModelError: there is no such file, or it is no ONNX model.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from None
    head = data[:64].lstrip()
    if head.startswith(b"version https://git-lfs"):
        raise ModelError(f"{path} is a Git LFS pointer, not the model: run `git lfs pull` where it came from")
    if head.startswith(b"<"):
        raise ModelError(f"{path} is a web page, not the model: download the file itself")
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise ModelError(f"{path} is not an ONNX model, or is cut short: export or download it again") from None
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{path} is not an ONNX model: it holds no network")
    return model
