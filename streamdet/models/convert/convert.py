"""From a model and options to a new model that was proven to find the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx

from streamdet.errors import ModelError, UsageError
from streamdet.models.arithmetic import value_shapes
from streamdet.models.convert.finish import check_graph, check_recognised, files_of, runner_of
from streamdet.models.convert.front import Feed, fold, has_front, measure, transpose, understood
from streamdet.models.convert.half import refuse_quantised, to_half
from streamdet.models.convert.openvino_ir import require_openvino
from streamdet.models.convert.options import Channels, ConvertOptions, Format, Layout, Precision
from streamdet.models.convert.proof import COARSE, FLOAT, HALF, Proof, Runner, Sample, prove
from streamdet.models.convert.record import record
from streamdet.models.convert.tail import add_published_tail, add_top_boxes
from streamdet.models.description import SPEC_KEY
from streamdet.models.load import ModelFile, parse_bytes
from streamdet.models.recognise import recognise
from streamdet.models.signature import signature_of
from streamdet.models.spec import Contract, ModelSpec
from streamdet.models.ssd_geometry import box_count
from streamdet.models.surgery import Network, find, resize_input, set_batch, to_heads

Progress = Callable[[str], None]

Quantise = Callable[[ModelFile, ModelSpec, Progress], tuple[bytes, str]]
"""Makes an INT8 model of a float one, its own report in the metadata; with the report for people."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A model that was made and proven, not yet written.

    Attributes:
        files: content by the ending of its file: `.onnx`, or `.xml` and `.bin`.
        spec: how it is fed and read.
        proof: that it finds the same as its source.
        notes: what the user should know, in sentences.
        report_text: the quantiser's, for people; "" where there was none.
    """

    files: Mapping[str, bytes]
    spec: ModelSpec
    proof: Proof
    notes: tuple[str, ...]
    report_text: str = ""


def convert(
    file: ModelFile,
    spec: ModelSpec,
    samples: Sequence[Sample],
    options: ConvertOptions,
    quantise: Quantise | None = None,
    progress: Progress = lambda _: None,
) -> Converted:
    """Converts a model and proves the result against it.

    Args:
        file: the source.
        spec: how the source is fed and read.
        samples: pictures for the proof; at least one.
        options: what to make of it.
        quantise: for INT8.
        progress: told what is being done.

    Raises:
        ModelError: it is not a network that can be converted so, or the result does not find the same.
        UsageError: the options do not go together, or a package is missing.
    """
    if options.format is Format.OPENVINO:
        require_openvino()  # before anything takes long
    if options.precision is Precision.INT8 and quantise is None:
        raise UsageError("--precision int8 needs --calibration, a folder of photos like those it will see")
    source = parse_bytes(*file)
    ssd = spec.contract in (Contract.SSD_HEADS, Contract.SSD_PUBLISHED)
    if not ssd and not options.changes_network and options.precision is not Precision.FP32:
        return _other_precision(file, spec, source, samples, options, quantise, progress)
    progress("looking for the heads")
    try:
        network = find(source, file.name, spec.width)
    except ModelError as error:
        raise _with_advice(error, source, file.name, ssd) from None
    job = _Job(file, source, spec, network, options, progress)
    return job.run(samples, quantise)


def _with_advice(error: ModelError, source: onnx.ModelProto, name: str, ssd: bool) -> ModelError:
    """Returns why a network cannot be converted, with what can be done."""
    if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in source.graph.initializer):
        return ModelError(f"{name} has FP16 weights already: convert the FP32 file that it came from")
    return error if ssd else ModelError(f"{error}; of other models --precision fp16 or int8 alone can be changed")


@dataclass(slots=True)
class _Job:
    """One conversion of the flagship's network."""

    file: ModelFile
    source: onnx.ModelProto
    spec: ModelSpec
    network: Network
    options: ConvertOptions
    progress: Progress

    def run(self, samples: Sequence[Sample], quantise: Quantise | None) -> Converted:
        """Makes the model step by step, each from the one before, and proves it."""
        options, network = self.options, self.network
        heads = to_heads(network)
        fed, feed = self._fed(heads)
        notes = self._notes(fed)
        base = _heads_spec(fed, network.classes)
        size = options.input_size or network.size
        reference = Runner.of(self.file, fed)
        if size != network.size:
            heads, base, reference = self._resized(heads, base, reference, samples, size, notes)
        model, made = self._input(heads, base, feed, size)
        report = _Report()
        if options.precision is not Precision.FP32:
            refuse_quantised(model, self.file.name)
        if options.precision is Precision.FP16 and options.format is Format.ONNX:
            self.progress("to half precision")
            model = to_half(model)
        elif options.precision is Precision.INT8 and quantise is not None:
            check_graph(model)
            model, report = _quantised(
                quantise, ModelFile(model.SerializeToString(), self.file.name), made, self.progress
            )
        model, made = self._output(model, made, size)
        check_graph(model)
        strict = {Precision.FP32: FLOAT, Precision.FP16: HALF, Precision.INT8: COARSE}[options.precision]
        result = runner_of(files_of(model, options, {}), made)
        proof = prove(reference, result, samples, strict, self.progress)
        reference.network.close()
        result.network.close()
        notes += proof.notes
        properties = record(self.file, self.source, made, options, proof, notes, report.metadata, self._accuracy(size))
        files = files_of(model, options, properties)
        check_recognised(files, made, self.file.name)
        return Converted(files, made, proof, tuple(notes), report.text)

    def _resized(
        self,
        heads: onnx.ModelProto,
        base: ModelSpec,
        source: Runner,
        samples: Sequence[Sample],
        size: int,
        notes: list[str],
    ) -> tuple[onnx.ModelProto, ModelSpec, Runner]:
        """Proves the heads at their own size; returns them at another, and what to prove the result against."""
        native = self.network.size
        self.progress(f"proving the heads at {native}x{native}")
        own = prove(
            source, runner_of({".onnx": heads.SerializeToString()}, base), samples, FLOAT, self.progress
        ).agreement
        source.network.close()
        sized, sized_spec = _sized(heads, base, self.network, size)
        notes += [
            f"{size}x{size} is another accuracy point than {native}x{native}: measure it before use",
            f"the source cannot run at {size}x{size}: proven were the heads at {native}x{native} against it "
            f"({own.matched} of {own.count} detections), and the result against ONNX's own decoding and NMS behind the "
            "resized network",
        ]
        return sized, sized_spec, _by_onnx(sized, sized_spec, self.network.classes, size)

    def _fed(self, heads: onnx.ModelProto) -> tuple[ModelSpec, Feed | None]:
        """Returns how the source is fed, and what its first convolution gets then; None where that is not simple."""
        if not has_front(heads):
            return self.spec, Feed.of(self.spec)
        signature = signature_of(self.source)
        by_signature = recognise(replace(signature, metadata={}), self.spec.name, {"contract": self.spec.contract})
        told = SPEC_KEY in signature.metadata or any(
            getattr(self.spec, name) != getattr(by_signature, name) for name in ("mean", "std", "rgb")
        )
        fed = self.spec if told else understood(heads, self.spec, self.network.size)
        return fed, measure(heads, fed, self.network.size)

    def _accuracy(self, size: int) -> str:
        native = self.network.size
        if size == native:
            return ""
        return f"input {size}x{size} instead of {native}x{native}: another accuracy point, not measured"

    def _notes(self, fed: ModelSpec) -> list[str]:
        notes = []
        if self.spec.contract is Contract.SSD_HEADS:
            notes.append("the source has its raw heads already")
        if (fed.mean, fed.std, fed.rgb) != (self.spec.mean, self.spec.std, self.spec.rgb):
            order = "RGB" if fed.rgb else "BGR"
            notes.append(f"the source normalises its own input: it is fed {order}, mean {fed.mean}, std {fed.std}")
        if self.spec.labels and len(self.spec.labels) != self.network.classes - 1:
            count = self.network.classes - 1
            notes.append(f"it knows {count} classes without names: give `labels` in a YAML description beside it")
        return notes

    def _input(
        self, heads: onnx.ModelProto, base: ModelSpec, feed: Feed | None, size: int
    ) -> tuple[onnx.ModelProto, ModelSpec]:
        options = self.options
        if options.folds_input:
            if feed is None:
                raise ModelError(
                    f"{self.file.name} does something of its own to its input, more than choosing channels, adding and "
                    "multiplying: it can only be kept as it is (leave out --input-type and --channels)"
                )
            own = Channels.BGR if options.published and options.format is Format.OPENVINO else _channels(base)
            channels = options.channels or own
            model = fold(heads, feed, channels, options.input_type, options.layout, size)
            plain = replace(base, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), rgb=channels is Channels.RGB)
            uint8 = options.input_type == "uint8"
            return model, replace(plain, uint8=uint8, nchw=options.layout is Layout.NCHW)
        if options.layout is Layout.NHWC and base.nchw:
            if base.uint8:
                raise UsageError("to change the layout of an input of bytes, give --input-type uint8 too")
            return transpose(heads, size), replace(base, nchw=False)
        return heads, base

    def _output(self, model: onnx.ModelProto, made: ModelSpec, size: int) -> tuple[onnx.ModelProto, ModelSpec]:
        options, classes = self.options, self.network.classes
        if options.top_boxes:
            model = add_top_boxes(model, options.top_boxes, classes, size)
        if options.published:
            set_batch(model, 1)
            model = add_published_tail(model, classes, size)
            made = replace(made, contract=Contract.SSD_PUBLISHED, label_offset=1)
        set_batch(model, 1 if options.published else options.batch)
        return model, made


@dataclass(frozen=True, slots=True)
class _Report:
    """What the quantiser said: for people, and as metadata to keep."""

    text: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def _quantised(
    quantise: Quantise, file: ModelFile, spec: ModelSpec, progress: Progress
) -> tuple[onnx.ModelProto, _Report]:
    data, text = quantise(file, spec, progress)
    model = parse_bytes(data, file.name)
    return model, _Report(text, {entry.key: entry.value for entry in model.metadata_props})


def _channels(spec: ModelSpec) -> Channels:
    return Channels.RGB if spec.rgb else Channels.BGR


def _heads_spec(fed: ModelSpec, classes: int) -> ModelSpec:
    """Returns how the heads of a source are fed and read."""
    return replace(
        fed,
        contract=Contract.SSD_HEADS,
        label_offset=0,
        box_order="xyxy",
        box_normalized=True,
        output_names=(),
        labels=fed.labels if len(fed.labels) == classes - 1 else (),
        urls=(),
        size_bytes=0,
        sha256="",
        sha384="",
    )


def _sized(heads: onnx.ModelProto, base: ModelSpec, network: Network, size: int) -> tuple[onnx.ModelProto, ModelSpec]:
    """Returns the network with another input size: it is convolutions all through, so only shapes change."""
    sized = onnx.ModelProto()
    sized.CopyFrom(heads)
    resize_input(sized, size)
    count = box_count(size)
    for value in sized.graph.output:
        value.type.tensor_type.shape.dim[2].dim_value = count
    shapes = value_shapes(sized)
    found = shapes.get("loc", ()), shapes.get("conf", ())
    if found != ((1, 4, count), (1, network.classes, count)):
        raise ModelError(f"its graph holds the size {network.size} in other places too, so it cannot take {size}")
    return sized, replace(base, width=size, height=size)


def _by_onnx(heads: onnx.ModelProto, base: ModelSpec, classes: int, size: int) -> Runner:
    """Returns a reference at another size: the network with decoding and NMS by ONNX's own operators."""
    whole = onnx.ModelProto()
    whole.CopyFrom(heads)
    set_batch(whole, 1)
    whole = add_published_tail(whole, classes, size)
    spec = replace(base, contract=Contract.SSD_PUBLISHED, label_offset=1)
    return Runner.of(ModelFile(whole.SerializeToString(), "the resized network"), spec)


def _other_precision(
    file: ModelFile,
    spec: ModelSpec,
    source: onnx.ModelProto,
    samples: Sequence[Sample],
    options: ConvertOptions,
    quantise: Quantise | None,
    progress: Progress,
) -> Converted:
    """Converts another network, which keeps its form: only its precision changes."""
    report = _Report()
    refuse_quantised(source, file.name)
    if options.precision is Precision.FP16:
        model, strict = to_half(parse_bytes(*file)), HALF
    else:
        assert quantise is not None
        model, report = _quantised(quantise, file, spec, progress)
        strict = COARSE
    check_graph(model)
    plain = replace(spec, urls=(), size_bytes=0, sha256="", sha384="")
    result = runner_of(files_of(model, options, {}), plain)
    reference = Runner.of(file, spec)
    proof = prove(reference, result, samples, strict, progress)
    reference.network.close()
    result.network.close()
    properties = record(file, source, plain, options, proof, proof.notes, report.metadata, "")
    files = files_of(model, options, properties)
    check_recognised(files, plain, file.name)
    return Converted(files, plain, proof, proof.notes, report.text)
