"""What a conversion goes from and to: the source, a new graph, and what is proven and can be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx

from streamdet.convert.proof import Proof
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile

Files = Mapping[str, bytes]
"""Content by the ending of its file: `.onnx`, or `.xml` and `.bin`."""

Progress = Callable[[str], None]

Quantizer = Callable[[ModelFile, ModelSpec, Progress], tuple[bytes, str]]
"""Makes an INT8 model of a float one, its own report in the metadata; with the report for people."""


@dataclass(frozen=True, slots=True)
class SourceModel:
    """The model that is converted.

    Attributes:
        file: what it was read from.
        model: the same, parsed.
        spec: how it is fed and read.
    """

    file: ModelFile
    model: onnx.ModelProto
    spec: ModelSpec


@dataclass(slots=True)
class DraftModel:
    """A new graph, not yet proven; it is changed step by step.

    Attributes:
        model: the graph.
        spec: how it is fed and read.
        notes: what the user should know, in sentences.
        accuracy: what to know of its accuracy; "" where it is the source's.
        report_text: the quantiser's, for people; "" where there was none.
        report: the quantiser's own metadata; empty where there was none.
    """

    model: onnx.ModelProto
    spec: ModelSpec
    notes: list[str] = field(default_factory=list)
    accuracy: str = ""
    report_text: str = ""
    report: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A model that was made and proven, not yet written.

    Attributes:
        files: what to write.
        spec: how it is fed and read.
        proof: that it finds the same as its source.
        notes: what the user should know, in sentences.
        report_text: the quantiser's, for people; "" where there was none.
    """

    files: Files
    spec: ModelSpec
    proof: Proof
    notes: tuple[str, ...]
    report_text: str
