"""Conversion of the flagship's network: cut to its heads, then changed step by step, and proven."""

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
from streamdet.convert.proof import FP32_TOLERANCE, Proof, Sample, prove
from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.default_boxes import flagship_box_count
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.description import SPEC_KEY
from streamdet.models.find_ssd import SsdNetwork, find_ssd, resize_input, set_batch, to_heads
from streamdet.models.onnx_file import ModelFile, onnx_signature
from streamdet.models.operation_count import value_shapes
from streamdet.models.recognise import recognise


@dataclass(slots=True)
class Conversion:
    """One conversion of the flagship's network.

    Attributes:
        source: what is converted.
        network: as it was found in it.
        options: what to make of it.
        progress: told what is being done.
    """

    source: SourceModel
    network: SsdNetwork
    options: ConvertOptions
    progress: Progress

    @classmethod
    def of(cls, source: SourceModel, options: ConvertOptions, progress: Progress) -> Conversion:
        """Looks for the network.

        Raises:
            ModelError: it is not there.
        """
        progress("looking for the heads")
        return cls(source, find_ssd(source.model, source.file.name, source.spec.width), options, progress)

    def run(self, samples: Sequence[Sample], quantise: Quantizer | None) -> ConvertedModel:
        """Makes the model step by step, each from the one before, and proves it."""
        heads = to_heads(self.network)
        fed, feed = self._fed(heads)
        made = DraftModel(heads, _heads_spec(fed, self.network.classes), self._notes(fed))
        reference = ModelRunner.of(self.source.file, fed)
        if self._size != self.network.size:
            reference = self._resize(made, reference, samples)
        self._change_input(made, feed)
        if self.options.precision is TargetPrecision.FP16 and self.options.format is FileFormat.ONNX:
            self.progress("to half precision")
            made.model = to_fp16(made.model)
        elif self.options.precision is TargetPrecision.INT8 and quantise is not None:
            self._prove_in_float(made, reference, samples)
            to_int8(made, quantise, self.source.file.name, self.progress)
        self._change_output(made)
        return finalize(self.source, made, reference, samples, self.options, self.progress)

    @property
    def _size(self) -> int:
        return self.options.input_size or self.network.size

    def _fed(self, heads: onnx.ModelProto) -> tuple[ModelSpec, InputTransform | None]:
        """Returns how the source is fed, and what its first convolution gets then; None where that is not simple."""
        spec, size = self.source.spec, self.network.size
        if not transforms_input(heads):
            return spec, InputTransform.of(spec)
        signature = onnx_signature(self.source.model)
        known = {"contract": spec.contract, "width": spec.width, "height": spec.height}
        by_signature = recognise(replace(signature, metadata={}), spec.name, known)
        told = SPEC_KEY in signature.metadata or any(
            getattr(spec, name) != getattr(by_signature, name) for name in ("mean", "std", "rgb")
        )
        fed = spec if told else infer_input_spec(heads, spec, size)
        return fed, measure_input_transform(heads, fed, size)

    def _notes(self, fed: ModelSpec) -> list[str]:
        notes, spec, named = [], self.source.spec, self.network.classes - 1
        if spec.contract is Contract.SSD_HEADS:
            notes.append("the source has its raw heads already")
        if (fed.mean, fed.std, fed.rgb) != (spec.mean, spec.std, spec.rgb):
            order = "RGB" if fed.rgb else "BGR"
            notes.append(f"the source normalises its own input: it is fed {order}, mean {fed.mean}, std {fed.std}")
        if spec.labels and len(spec.labels) != named:
            notes.append(f"it knows {named} classes without names: give `labels` in a YAML description beside it")
        return notes

    def _resize(self, made: DraftModel, source: ModelRunner, samples: Sequence[Sample]) -> ModelRunner:
        """Proves the heads at their own size, then gives them another; returns what to prove the result against."""
        native, size = f"{self.network.size}x{self.network.size}", f"{self._size}x{self._size}"
        self.progress(f"proving the heads at {native}")
        with closing(source):
            own = self._prove(made, source, samples).agreement
        made.model = _sized(made.model, self.network, self._size)
        made.spec = replace(made.spec, width=self._size, height=self._size)
        made.accuracy = f"input {size} instead of {native}: another accuracy point, not measured"
        made.notes += [
            f"{size} is another accuracy point than {native}: measure it before use",
            f"the source cannot run at {size}: proven were the heads at {native} against it ({own.matched} of "
            f"{own.count} detections), and the result against ONNX's own decoding and NMS behind the resized network",
        ]
        return _by_onnx(made, self.network.classes)

    def _prove_in_float(self, made: DraftModel, reference: ModelRunner, samples: Sequence[Sample]) -> None:
        """Proves what is to be quantised: the proof of the INT8 form tells what it finds, and judges nothing."""
        self.progress("proving it in float, before INT8")
        proof = self._prove(made, reference, samples)
        found = f"{proof.agreement.matched} of {proof.agreement.count}"
        made.notes += [f"before INT8, in float32, {found} detections agreed with its source", *proof.notes]

    def _prove(self, made: DraftModel, reference: ModelRunner, samples: Sequence[Sample]) -> Proof:
        check_graph(made.model)
        file = ModelFile(made.model.SerializeToString(), "the network in between")
        with closing(ModelRunner.of(file, made.spec)) as result:
            return prove(reference, result, samples, FP32_TOLERANCE, self.progress)

    def _change_input(self, made: DraftModel, feed: InputTransform | None) -> None:
        options, size = self.options, self._size
        if not options.folds_input:
            if options.layout is Layout.NHWC and made.spec.nchw:
                if made.spec.uint8:
                    raise UsageError("to change the layout of an input of bytes, give --input-type uint8 too")
                made.model, made.spec = to_nhwc_input(made.model, size), replace(made.spec, nchw=False)
            return
        if feed is None:
            raise ModelError(
                f"{self.source.file.name} does something of its own to its input, more than choosing channels, adding "
                "and multiplying: it can only be kept as it is (leave out --input-type and --channels)"
            )
        own = Channels.RGB if made.spec.rgb else Channels.BGR
        if options.published and options.format is FileFormat.OPENVINO:
            own = Channels.BGR  # as Open Model Zoo's converter makes it
        channels = options.channels or own
        made.model = fold_input(made.model, feed, channels, options.input_type, options.layout, size)
        made.spec = replace(
            made.spec,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            rgb=channels is Channels.RGB,
            uint8=options.input_type == "uint8",
            nchw=options.layout is Layout.NCHW,
        )

    def _change_output(self, made: DraftModel) -> None:
        options, classes = self.options, self.network.classes
        if options.top_boxes:
            made.model = add_top_k(made.model, options.top_boxes, classes, self._size)
        if options.published:
            set_batch(made.model, 1)
            made.model = add_decode_and_nms(made.model, classes, self._size)
            made.spec = _published_spec(made.spec)
        set_batch(made.model, 1 if options.published else options.batch)


def _heads_spec(fed: ModelSpec, classes: int) -> ModelSpec:
    """Returns how the heads of a source are fed and read."""
    return replace(
        without_origin(fed),
        contract=Contract.SSD_HEADS,
        label_offset=0,
        box_order="xyxy",
        box_normalized=True,
        output_names=(),
        labels=fed.labels if len(fed.labels) == classes - 1 else (),
    )


def _published_spec(heads: ModelSpec) -> ModelSpec:
    return replace(heads, contract=Contract.SSD_PUBLISHED, label_offset=1)


def _sized(heads: onnx.ModelProto, network: SsdNetwork, size: int) -> onnx.ModelProto:
    """Returns the network with another input size: it is convolutions all through, so only shapes change."""
    sized = onnx.ModelProto()
    sized.CopyFrom(heads)
    resize_input(sized, size)
    count = flagship_box_count(size)
    for value in sized.graph.output:
        value.type.tensor_type.shape.dim[2].dim_value = count
    shapes = value_shapes(sized)
    found = shapes.get("loc", ()), shapes.get("conf", ())
    if found != ((1, 4, count), (1, network.classes, count)):
        raise ModelError(f"its graph holds the size {network.size} in other places too, so it cannot take {size}")
    return sized


def _by_onnx(made: DraftModel, classes: int) -> ModelRunner:
    """Returns a reference at another size: the network with decoding and NMS by ONNX's own operators."""
    whole = onnx.ModelProto()
    whole.CopyFrom(made.model)
    set_batch(whole, 1)
    whole = add_decode_and_nms(whole, classes, made.spec.width)
    return ModelRunner.of(ModelFile(whole.SerializeToString(), "the resized network"), _published_spec(made.spec))
