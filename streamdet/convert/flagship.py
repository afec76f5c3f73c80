"""Converts the flagship's network: extracts its heads, changes them step by step, and verifies the result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import onnx

from streamdet.convert.artifacts import ConvertedModel, DraftModel, Progress, Quantizer, SourceModel
from streamdet.convert.finalize import check_graph, finalize, to_int8, without_origin
from streamdet.convert.fp16 import to_fp16
from streamdet.convert.input_transform import (
    InputTransform,
    fold_input,
    infer_input_spec,
    measure_input_transform,
    to_nhwc_input,
    transforms_input,
)
from streamdet.convert.model_runner import ModelRunner
from streamdet.convert.options import Channels, ConvertOptions, FileFormat, Layout, TargetPrecision
from streamdet.convert.output_nodes import add_decode_and_nms, add_top_k
from streamdet.convert.verification import FP32_TOLERANCE, SampleImage, Verification, verify_conversion
from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.default_boxes import flagship_box_count
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.description import SPEC_KEY
from streamdet.models.find_ssd import SsdNetwork, find_ssd, resize_input, set_batch, to_heads
from streamdet.models.onnx_file import ModelFile, onnx_signature
from streamdet.models.operation_count import value_shapes
from streamdet.models.recognize import recognize


@dataclass(slots=True)
class Conversion:
    """One conversion of the flagship's network.

    Attributes:
        source: the model to convert.
        network: as found in the source.
        options: of the conversion.
        progress: called with a description of the current step.
    """

    source: SourceModel
    network: SsdNetwork
    options: ConvertOptions
    progress: Progress

    @classmethod
    def of(cls, source: SourceModel, options: ConvertOptions, progress: Progress) -> Conversion:
        """Finds the network in the source.

        Raises:
            ModelError: it is not there.
        """
        progress("searching for the heads")
        return cls(source, find_ssd(source.model, source.file.name, source.spec.width), options, progress)

    def run(self, samples: Sequence[SampleImage], quantizer: Quantizer | None) -> ConvertedModel:
        """Changes the model step by step, and verifies it."""
        heads = to_heads(self.network)
        source_spec, transform = self._source_input(heads)
        draft = DraftModel(heads, _heads_spec(source_spec, self.network.classes), self._notes(source_spec))
        reference = ModelRunner.of(self.source.file, source_spec)
        if self._size != self.network.size:
            reference = self._resize(draft, reference, samples)
        self._change_input(draft, transform)
        if self.options.precision is TargetPrecision.FP16 and self.options.format is FileFormat.ONNX:
            self.progress("converting to FP16")
            draft.model = to_fp16(draft.model)
        elif self.options.precision is TargetPrecision.INT8 and quantizer is not None:
            self._verify_before_int8(draft, reference, samples)
            to_int8(draft, quantizer, self.source.file.name, self.progress)
        self._change_output(draft)
        return finalize(self.source, draft, reference, samples, self.options, self.progress)

    @property
    def _size(self) -> int:
        return self.options.input_size or self.network.size

    def _source_input(self, heads: onnx.ModelProto) -> tuple[ModelSpec, InputTransform | None]:
        """Returns the spec of the source's input, and the input of its first convolution; None if not simple."""
        spec, size = self.source.spec, self.network.size
        if not transforms_input(heads):
            return spec, InputTransform.of(spec)
        signature = onnx_signature(self.source.model)
        known = {"contract": spec.contract, "width": spec.width, "height": spec.height}
        by_signature = recognize(replace(signature, metadata={}), spec.name, known)
        described = SPEC_KEY in signature.metadata or any(
            getattr(spec, name) != getattr(by_signature, name) for name in ("mean", "std", "rgb")
        )
        spec = spec if described else infer_input_spec(heads, spec, size)
        return spec, measure_input_transform(heads, spec, size)

    def _notes(self, source_spec: ModelSpec) -> list[str]:
        notes, spec, named = [], self.source.spec, self.network.classes - 1
        if spec.contract is Contract.SSD_HEADS:
            notes.append("the source has raw heads already")
        if (source_spec.mean, source_spec.std, source_spec.rgb) != (spec.mean, spec.std, spec.rgb):
            order = "RGB" if source_spec.rgb else "BGR"
            notes.append(
                f"the source normalizes its own input: it takes {order}, mean {source_spec.mean}, std {source_spec.std}"
            )
        if spec.labels and len(spec.labels) != named:
            notes.append(f"its {named} classes have no names: give `labels` in a YAML description next to it")
        return notes

    def _resize(self, draft: DraftModel, source: ModelRunner, samples: Sequence[SampleImage]) -> ModelRunner:
        """Verifies the heads at their native size, then resizes them; returns the reference for the result."""
        native, size = f"{self.network.size}x{self.network.size}", f"{self._size}x{self._size}"
        self.progress(f"verifying the heads at {native}")
        with closing(source):
            comparison = self._verify(draft, source, samples).comparison
        draft.model = _resized(draft.model, self.network, self._size)
        draft.spec = replace(draft.spec, width=self._size, height=self._size)
        draft.accuracy = f"input {size} instead of {native}: the accuracy changes and has not been measured"
        draft.notes += [
            f"the accuracy at {size} differs from that at {native}: measure it before use",
            f"the source cannot run at {size}: the heads were verified at {native} against it ({comparison.matched} of "
            f"{comparison.count} detections), the result against the resized network with ONNX's own decoding and NMS",
        ]
        return _resized_runner(draft, self.network.classes)

    def _verify_before_int8(self, draft: DraftModel, reference: ModelRunner, samples: Sequence[SampleImage]) -> None:
        """Verifies the float model, since the verification of the INT8 form has no limit."""
        self.progress("verifying the float model before INT8")
        verification = self._verify(draft, reference, samples)
        matched = f"{verification.comparison.matched} of {verification.comparison.count}"
        draft.notes += [
            f"before INT8, in float32, {matched} detections matched those of its source",
            *verification.notes,
        ]

    def _verify(self, draft: DraftModel, reference: ModelRunner, samples: Sequence[SampleImage]) -> Verification:
        check_graph(draft.model)
        file = ModelFile(draft.model.SerializeToString(), "the intermediate network")
        with closing(ModelRunner.of(file, draft.spec)) as result:
            return verify_conversion(reference, result, samples, FP32_TOLERANCE, self.progress)

    def _change_input(self, draft: DraftModel, transform: InputTransform | None) -> None:
        options, size = self.options, self._size
        if not options.folds_input:
            if options.layout is Layout.NHWC and draft.spec.nchw:
                if draft.spec.uint8:
                    raise UsageError("to change the layout of a uint8 input, give --input-type uint8 too")
                draft.model, draft.spec = to_nhwc_input(draft.model, size), replace(draft.spec, nchw=False)
            return
        if transform is None:
            raise ModelError(
                f"{self.source.file.name} does more to its input than reordering channels, adding and multiplying: "
                "this cannot be changed (leave out --input-type and --channels)"
            )
        current = Channels.RGB if draft.spec.rgb else Channels.BGR
        if options.published and options.format is FileFormat.OPENVINO:
            current = Channels.BGR  # as Open Model Zoo's converter does
        channels = options.channels or current
        draft.model = fold_input(draft.model, transform, channels, options.input_type, options.layout, size)
        draft.spec = replace(
            draft.spec,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            rgb=channels is Channels.RGB,
            uint8=options.input_type == "uint8",
            nchw=options.layout is Layout.NCHW,
        )

    def _change_output(self, draft: DraftModel) -> None:
        options, classes = self.options, self.network.classes
        if options.top_boxes:
            draft.model = add_top_k(draft.model, options.top_boxes, classes, self._size)
        if options.published:
            set_batch(draft.model, 1)
            draft.model = add_decode_and_nms(draft.model, classes, self._size)
            draft.spec = _published_spec(draft.spec)
        set_batch(draft.model, 1 if options.published else options.batch)


def _heads_spec(source_spec: ModelSpec, classes: int) -> ModelSpec:
    """Returns the spec of a source's heads."""
    return replace(
        without_origin(source_spec),
        contract=Contract.SSD_HEADS,
        label_offset=0,
        box_order="xyxy",
        box_normalized=True,
        output_names=(),
        labels=source_spec.labels if len(source_spec.labels) == classes - 1 else (),
    )


def _published_spec(heads: ModelSpec) -> ModelSpec:
    return replace(heads, contract=Contract.SSD_PUBLISHED, label_offset=1)


def _resized(heads: onnx.ModelProto, network: SsdNetwork, size: int) -> onnx.ModelProto:
    """Returns the network with another input size: it is fully convolutional, so only shapes change."""
    resized = onnx.ModelProto()
    resized.CopyFrom(heads)
    resize_input(resized, size)
    count = flagship_box_count(size)
    for value in resized.graph.output:
        value.type.tensor_type.shape.dim[2].dim_value = count
    shapes = value_shapes(resized)
    actual = shapes.get("loc", ()), shapes.get("conf", ())
    if actual != ((1, 4, count), (1, network.classes, count)):
        raise ModelError(f"its graph contains the size {network.size} in other places too, so it cannot take {size}")
    return resized


def _resized_runner(draft: DraftModel, classes: int) -> ModelRunner:
    """Returns the reference at another size: the network with decoding and NMS by ONNX's own operators."""
    model = onnx.ModelProto()
    model.CopyFrom(draft.model)
    set_batch(model, 1)
    model = add_decode_and_nms(model, classes, draft.spec.width)
    return ModelRunner.of(ModelFile(model.SerializeToString(), "the resized network"), _published_spec(draft.spec))
