"""`streamdet models info`: prints what a model file contains."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdet.cli.options import AsJson
from streamdet.errors import ModelError
from streamdet.models.description import SPEC_KEY
from streamdet.models.provenance import CONVERTED_KEY, read_provenance
from streamdet.redact import printable

if TYPE_CHECKING:
    from streamdet.model_spec.spec import ModelSpec
    from streamdet.models.model_info import GraphInfo, ModelInfo
    from streamdet.models.onnx_file import ModelFile
    from streamdet.models.operation_count import OperationCount


def info(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Model: a known name, an ONNX or OpenVINO file, or a .yaml description."),
    ],
    as_json: AsJson = False,
) -> None:
    """Show the contents of a model file.

    Inputs, outputs, contract, parameters and arithmetic are read from its graph; nothing is run or downloaded.
    """
    from streamdet.models.model_info import inspect_model

    if (named := _not_downloaded(model)) is not None:
        _print_spec(named, as_json)
        return
    spec, source = _spec_and_source(model)
    read = inspect_model(source, spec)
    if as_json:
        typer.echo(json.dumps(_as_dict(read), indent=2))
    else:
        for title, text in _lines(read):
            typer.echo(printable(f"{title:<12} {text}"))


def _not_downloaded(model: str) -> ModelSpec | None:
    """Returns the known model of that name if its file is not on this machine, else None."""
    from streamdet.models.catalog import find_model, model_file_name, models_dir

    spec = None if Path(model).exists() else find_model(model)
    return None if spec is None or (models_dir() / model_file_name(spec)).exists() else spec


def _print_spec(spec: ModelSpec, as_json: bool) -> None:
    """Prints what is known about a model without its file."""
    if as_json:
        facts = asdict(spec)
        facts |= {"contract": spec.contract.value, "resize": spec.resize.value, "downloaded": False}
        typer.echo(json.dumps(facts, indent=2))
        return
    lines = [("model", f"{spec.name}: {spec.about}"), ("file", f"not downloaded: streamdet models pull {spec.name}")]
    lines += [("", spec.origin.facts), *(("from", url) for url in spec.urls), *_spec_lines(spec)]
    for title, text in lines:
        typer.echo(printable(f"{title:<12} {text}"))


def _spec_and_source(model: str) -> tuple[ModelSpec | None, Path | ModelFile]:
    """Returns the description and the file of a model; the description is None if the contract is unknown."""
    from streamdet.models.catalog import expand_path, resolve_model

    path = expand_path(model)
    try:
        return resolve_model(model)
    except ModelError:
        if path.is_file() and path.suffix.casefold() not in (".yaml", ".yml"):
            return None, path
        raise


def _signature(tensors: Any) -> list[dict[str, Any]]:
    return [{"name": t.name, "shape": list(t.shape), "dtype": str(t.dtype)} for t in tensors]


def _as_dict(read: ModelInfo) -> dict[str, Any]:
    spec, graph = read.spec, read.graph
    counted = graph.arithmetic if graph else None
    return {
        "file": read.name,
        "size_bytes": read.size_bytes,
        "inputs": _signature(read.signature.inputs),
        "outputs": _signature(read.signature.outputs),
        "contract": spec.contract.value if spec else None,
        "not_recognized": read.unknown or None,
        "classes": len(spec.labels) if spec else None,
        "trainable_mparams": graph.trainable / 1e6 if graph else None,
        "stored_mparams": graph.stored / 1e6 if graph else None,
        "gflops": counted.gflops if counted else None,
        "gflops_by_operator": {name: n / 1e9 for name, n in counted.products.items()} if counted else None,
        "gflops_on_integers": counted.integer / 1e9 if counted else None,
        "gflops_with_elementwise": counted.total_gflops if counted else None,
        "uncounted_operators": counted.uncounted if counted else None,
        "operators": dict(graph.operators) if graph else None,
        "opset": graph.opset if graph else None,
        "producer": graph.producer if graph else None,
        "metadata": dict(read.signature.metadata),
        "converted": _json_or_none(read.signature.metadata.get(CONVERTED_KEY, "")),
        "licence": spec.licence if spec else "",
        "random_weights": bool(spec and spec.random_weights),
    }


def _json_or_none(text: str) -> Any:
    return None if read_provenance(text) is None else json.loads(text)


def _lines(read: ModelInfo) -> list[tuple[str, str]]:
    def port(tensor: Mapping[str, Any]) -> str:
        shape = ", ".join("?" if d is None else str(d) for d in tensor["shape"])
        return f"{tensor['name']} {tensor['dtype']} ({shape})"

    lines = [("file", f"{read.name} ({read.size_bytes / 1e6:.1f} MB)")]
    lines += [("input", port(tensor)) for tensor in _signature(read.signature.inputs)]
    lines += [("output", port(tensor)) for tensor in _signature(read.signature.outputs)]
    lines += [("contract", f"not recognized: {read.unknown}")] if read.spec is None else _spec_lines(read.spec)
    lines += _graph_lines(read.graph)
    lines += _origin_lines(read)
    from streamdet.quantize.report import METADATA_KEY

    quantized = _quantized_lines(read.signature.metadata.get(METADATA_KEY, ""))
    lines += quantized
    printed = (*((SPEC_KEY, CONVERTED_KEY) if read.spec else ()), *((METADATA_KEY,) if quantized else ()))
    rest = [(key, value) for key, value in read.signature.metadata.items() if key not in printed]
    lines += [("metadata", f"{key} = {' '.join(value.split())[:200]}") for key, value in rest]
    return lines


def _origin_lines(read: ModelInfo) -> list[tuple[str, str]]:
    """Returns the provenance of a converted file, from its metadata."""
    origin = read_provenance(read.signature.metadata.get(CONVERTED_KEY, ""))
    if origin is None:
        return []
    lines = [
        ("converted", f"from {origin.source} (SHA-256 {origin.sha256})"),
        ("", f"with {origin.options or 'no options'}"),
    ]
    if origin.before:
        lines.append(("", f"which was converted from {origin.before}"))
    return [*lines, ("verified", origin.verification), *(("note", note) for note in origin.notes)]


def _quantized_lines(text: str) -> list[tuple[str, str]]:
    """Returns the quantization report of a file, or nothing if it cannot be read."""
    from streamdet.quantize.report import QuantizeReport

    try:
        report = QuantizeReport.from_json(text)
    except ValueError:
        return []
    return [("int8", line) for line in report.text().splitlines()]


def _spec_lines(spec: ModelSpec) -> list[tuple[str, str]]:
    order = "RGB" if spec.rgb else "BGR"
    preprocessing = f"{order}, {spec.resize.value}, mean {spec.mean}, std {spec.std}"
    lines = [
        ("contract", spec.contract.value),
        ("input size", f"{spec.width}x{spec.height} {preprocessing}"),
        ("classes", f"{len(spec.labels)} ({_some(spec.labels)})" if spec.labels else "no names"),
    ]
    if spec.licence:
        lines.append(("license", spec.licence))
    if spec.random_weights:
        lines.append(("warning", "random weights: it detects nothing, its output is meaningless"))
    return lines


def _graph_lines(graph: GraphInfo | None) -> list[tuple[str, str]]:
    if graph is None:
        return [("format", "OpenVINO; parameters and arithmetic are counted for ONNX files only")]
    return [
        ("parameters", f"{graph.trainable / 1e6:.6f} M trainable, {graph.stored / 1e6:.6f} M stored in total"),
        *_arithmetic_lines(graph.arithmetic),
        ("opset", f"{graph.opset}, written by {graph.producer or 'an unknown program'}"),
    ]


def _arithmetic_lines(counted: OperationCount) -> list[tuple[str, str]]:
    parts = ", ".join(f"{name} {count / 1e9:.3f}" for name, count in counted.products.items() if count)
    lines = [
        ("arithmetic", f"{counted.gflops:.3f} GFLOPs per image, 2 x multiply-adds ({parts or 'none'})"),
        ("", f"{counted.total_gflops:.3f} GFLOPs including activations, sums, normalization and pooling"),
    ]
    if counted.integer:
        lines.append(("", f"{counted.integer / 1e9 / counted.gflops:.1%} of the multiply-adds are integer"))
    if counted.uncounted:
        lines.append(("", f"{counted.uncounted} operators are not counted: their shapes are not in the file"))
    return lines


def _some(labels: Sequence[str]) -> str:
    """Returns the first four names, and an ellipsis if there are more."""
    return ", ".join(labels[:4]) + (", ..." if len(labels) > 4 else "")
