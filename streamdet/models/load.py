"""Opens ONNX files without running them, and without touching any file they point to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.detect.model_file import check_model, read_model

if TYPE_CHECKING:
    import onnx


def parse(path: Path) -> onnx.ModelProto:
    """Returns a parsed model that has passed the checks a session makes.

    Raises:
        ModelError: there is no such file, it is no ONNX model, or one that must not reach a runtime.
    """
    import onnx

    data, name = read_model(path)
    check_model(data, name)
    return onnx.load_model_from_string(data)
