"""The models of a conversion: the source, the draft that each step changes, and the verified result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx

from streamdet.convert.verification import Verification
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile

Files = Mapping[str, bytes]
"""Content by file suffix: `.onnx`, or `.xml` and `.bin`."""

Progress = Callable[[str], None]
"""Called with a description of the current step."""

Quantizer = Callable[[ModelFile, ModelSpec, Progress], tuple[bytes, str]]
"""Returns the INT8 form of a float model, with a report in its metadata, and that report in words."""


@dataclass(frozen=True, slots=True)
class SourceModel:
    """The model that is converted.

    Attributes:
        file: as read.
        model: the same, parsed.
        spec: of the model.
    """

    file: ModelFile
    model: onnx.ModelProto
    spec: ModelSpec


@dataclass(slots=True)
class DraftModel:
    """A new graph that is not verified yet; each step of the conversion changes it.

    Attributes:
        model: the graph.
        spec: of the graph.
        notes: for the user, in sentences.
        accuracy: a warning about its accuracy; "" where it has the source's accuracy.
        quantizer_report: in words; "" where nothing was quantized.
        quantizer_metadata: empty where nothing was quantized.
    """

    model: onnx.ModelProto
    spec: ModelSpec
    notes: list[str] = field(default_factory=list)
    accuracy: str = ""
    quantizer_report: str = ""
    quantizer_metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A verified model, not yet written.

    Attributes:
        files: to write.
        spec: of the model.
        verification: against its source.
        notes: for the user, in sentences.
        quantizer_report: in words; "" where nothing was quantized.
    """

    files: Files
    spec: ModelSpec
    verification: Verification
    notes: tuple[str, ...]
    quantizer_report: str
