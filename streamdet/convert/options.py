"""What a user may choose about a conversion."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from streamdet.errors import UsageError
from streamdet.model_spec.default_boxes import MIN_SIZE

MAX_SIZE = 4096
"""Largest side of an input; beyond, activations alone are gigabytes."""


class OutputForm(StrEnum):
    """HEADS: raw `loc` and `conf`. PUBLISHED: NMS inside, 200 rows of `bboxes`, `labels`, `scores`, batch 1."""

    HEADS = "heads"
    PUBLISHED = "published"


class InputType(StrEnum):
    """Type of the input's values."""

    FLOAT32 = "float32"
    UINT8 = "uint8"


class Layout(StrEnum):
    """Order of the input's axes."""

    NCHW = "nchw"
    NHWC = "nhwc"


class Channels(StrEnum):
    """Order of the input's colours."""

    RGB = "rgb"
    BGR = "bgr"


class TargetPrecision(StrEnum):
    """What weights and activations are computed in."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class FileFormat(StrEnum):
    """ONNX: one .onnx file. OPENVINO: an .xml and a .bin."""

    ONNX = "onnx"
    OPENVINO = "openvino"


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """What to make of a model. The defaults give the plain heads form.

    Attributes:
        form: of the outputs; None chooses heads, but for OpenVINO the published form, as Open Model Zoo has it.
        input_type: bytes have mean, scale and channel order inside.
        layout: of the input.
        channels: of the input; where given, it takes 0..255 values, with mean, scale and channel order inside. None
            keeps the source's (BGR for OpenVINO).
        precision: of the network; inputs and outputs stay as they are.
        input_size: side of the input in pixels; 0 keeps the source's. Another one is another accuracy point.
        top_boxes: the so many likeliest default boxes leave the network; 0 for all.
        batch: 0 leaves it open.
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
            raise UsageError(f"--batch must be dynamic or a number from 1, got {self.batch}")
        if self.published and self.batch > 1:
            raise UsageError("the published form has its NMS inside, for one picture: give --form heads for a batch")
        if self.published and self.top_boxes:
            raise UsageError("--top-boxes filters raw heads, and the published form has none: give --form heads")

    @property
    def published(self) -> bool:
        """Whether NMS goes inside."""
        return (
            self.form or (OutputForm.PUBLISHED if self.format is FileFormat.OPENVINO else OutputForm.HEADS)
        ) is OutputForm.PUBLISHED

    @property
    def folds_input(self) -> bool:
        """Whether mean, scale and channel order go inside."""
        folds = self.channels is not None or self.input_type is InputType.UINT8
        return folds or (self.format is FileFormat.OPENVINO and self.published)

    @property
    def changes_only_precision(self) -> bool:
        """Whether nothing is asked for but another precision, which any network can have."""
        return self.precision is not TargetPrecision.FP32 and self == ConvertOptions(precision=self.precision)

    def as_text(self) -> str:
        """Returns what is not default, as it is typed.

        >>> ConvertOptions(input_type=InputType.UINT8, top_boxes=2000).as_text()
        '--input-type uint8 --top-boxes 2000'
        """
        plain = ConvertOptions()
        changed = [f.name for f in fields(self) if getattr(self, f.name) != getattr(plain, f.name)]
        return " ".join(f"--{name.replace('_', '-')} {getattr(self, name)}" for name in changed)
