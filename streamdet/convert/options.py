"""Options of a conversion."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from streamdet.errors import UsageError
from streamdet.model_spec.default_boxes import MIN_SIZE

MAX_SIZE = 4096
"""Largest side of an input, in pixels; beyond it, activations alone take gigabytes."""


class OutputForm(StrEnum):
    """Outputs. HEADS: raw `loc` and `conf`. PUBLISHED: after NMS, 200 rows of `bboxes`, `labels`, `scores`, batch 1."""

    HEADS = "heads"
    PUBLISHED = "published"


class InputType(StrEnum):
    """Data type of the input."""

    FLOAT32 = "float32"
    UINT8 = "uint8"


class Layout(StrEnum):
    """Axis order of the input."""

    NCHW = "nchw"
    NHWC = "nhwc"


class Channels(StrEnum):
    """Channel order of the input."""

    RGB = "rgb"
    BGR = "bgr"


class TargetPrecision(StrEnum):
    """Precision of weights and activations."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class FileFormat(StrEnum):
    """ONNX: one .onnx file. OPENVINO: an .xml and a .bin file."""

    ONNX = "onnx"
    OPENVINO = "openvino"


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """Options of a conversion. The defaults give raw heads in FP32.

    Attributes:
        form: of the outputs; None chooses heads, but for OpenVINO the published form, like Open Model Zoo.
        input_type: uint8 implies mean, scale and channel order inside the network.
        layout: axis order of the input.
        channels: channel order of the input. If given, the input takes 0..255 values, with mean, scale and channel
            order inside. None keeps the source's (BGR for OpenVINO).
        precision: of the network; inputs and outputs keep their types.
        input_size: side of the input in pixels; 0 keeps the source's. Another size changes the accuracy.
        top_boxes: output only the K default boxes with the highest scores; 0 outputs all.
        batch: batch size; 0 allows any.
        format: of the file.
    """

    form: OutputForm | None = None
    input_type: InputType = InputType.FLOAT32
    layout: Layout = Layout.NCHW
    channels: Channels | None = None
    precision: TargetPrecision = TargetPrecision.FP32
    input_size: int = 0
    top_boxes: int = 0
    batch: int = 0
    format: FileFormat = FileFormat.ONNX

    def __post_init__(self) -> None:
        if self.input_size and not MIN_SIZE <= self.input_size <= MAX_SIZE:
            raise UsageError(f"--input-size must be from {MIN_SIZE} to {MAX_SIZE} pixels, got {self.input_size}")
        if self.top_boxes < 0:
            raise UsageError(f"--top-boxes must be 0 (all) or more, got {self.top_boxes}")
        if self.batch < 0:
            raise UsageError(f"--batch must be dynamic or at least 1, got {self.batch}")
        if self.published and self.batch > 1:
            raise UsageError("the published form contains NMS for one image: give --form heads for a batch")
        if self.published and self.top_boxes:
            raise UsageError("--top-boxes filters raw heads, which the published form lacks: give --form heads")

    @property
    def published(self) -> bool:
        """Whether the network contains NMS."""
        return (
            self.form or (OutputForm.PUBLISHED if self.format is FileFormat.OPENVINO else OutputForm.HEADS)
        ) is OutputForm.PUBLISHED

    @property
    def folds_input(self) -> bool:
        """Whether the network contains mean, scale and channel order."""
        folds = self.channels is not None or self.input_type is InputType.UINT8
        return folds or (self.format is FileFormat.OPENVINO and self.published)

    @property
    def changes_only_precision(self) -> bool:
        """Whether the only change is another precision, which any network supports."""
        return self.precision is not TargetPrecision.FP32 and self == ConvertOptions(precision=self.precision)

    def as_text(self) -> str:
        """Returns the options other than the defaults, as on the command line.

        >>> ConvertOptions(input_type=InputType.UINT8, top_boxes=2000).as_text()
        '--input-type uint8 --top-boxes 2000'
        """
        plain = ConvertOptions()
        changed = [f.name for f in fields(self) if getattr(self, f.name) != getattr(plain, f.name)]
        return " ".join(f"--{name.replace('_', '-')} {getattr(self, name)}" for name in changed)
