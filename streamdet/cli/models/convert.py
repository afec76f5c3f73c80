"""`streamdet models convert`: another form of a model, proven to find the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.errors import UsageError
from streamdet.models.convert.options import (
    Channels,
    ConvertOptions,
    Form,
    Format,
    InputType,
    Layout,
    Precision,
)

if TYPE_CHECKING:
    from streamdet.models.convert.convert import Converted


def convert(
    source: Annotated[str, typer.Argument(help="Known name, ONNX file or YAML description.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .onnx, or .xml for OpenVINO.")],
    form: Annotated[Form | None, typer.Option(help="heads: any batch. published: NMS inside, batch 1.")] = None,
    input_type: Annotated[
        InputType, typer.Option(help="uint8: bytes, with mean, scale and channel order inside.")
    ] = InputType.FLOAT32,
    layout: Annotated[Layout, typer.Option(help="Axes of the input.")] = Layout.NCHW,
    channels: Annotated[Channels | None, typer.Option(help="Of a 0..255 input: mean and scale go inside.")] = None,
    precision: Annotated[Precision, typer.Option(help="int8 needs --calibration.")] = Precision.FP32,
    input_size: Annotated[int, typer.Option(help="Side of the input; another accuracy point. 0: as it is.")] = 0,
    top_boxes: Annotated[int, typer.Option(help="Only so many boxes, the likeliest, leave the network. 0: all.")] = 0,
    batch: Annotated[str, typer.Option(help="dynamic, or a number.")] = "dynamic",
    format: Annotated[Format | None, typer.Option(help="openvino: .xml and .bin. By default as -o ends.")] = None,
    images: Annotated[str | None, typer.Option(help="Photos for the proof: folder, pattern or list.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="How many of them.")] = 8,
    calibration: Annotated[str | None, typer.Option(help="Photos for int8: folder, pattern or list.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="Their boxes (COCO JSON), to judge int8 by.")] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="What int8 may lose: AP with --annotations (0.01), else agreement with the float model (0.02).",
        ),
    ] = None,
) -> None:
    """Convert a model, prove on pictures that the result finds the same, and only then write it.

    The flagship's network is found by its structure in any export of it, and cut before its NMS. Other models keep
    their form, and can change their precision.
    """
    format = format or (Format.OPENVINO if output.suffix.casefold() == ".xml" else Format.ONNX)
    options = ConvertOptions(
        form, input_type, layout, channels, precision, input_size, top_boxes, _batch(batch), format
    )
    _check_output(output, format)
    from streamdet.cli.models.pictures import load_samples
    from streamdet.cli.models.quantising import quantiser
    from streamdet.models.convert.convert import convert as convert_model
    from streamdet.models.zoo import resolve

    spec, file = resolve(source)
    with suppress(OSError):
        if os.path.samefile(file.name, output):
            raise UsageError(f"{output} is the model being converted; give the output another name")
    if images is None and calibration is not None:
        images = calibration
    samples = load_samples(images, pictures)
    quantise = quantiser(calibration, annotations, images, max_loss) if precision is Precision.INT8 else None
    if images is None:
        typer.echo("the proof runs on a made-up scene; --images DIR proves it on your own photos")
    with _status() as tell:
        converted = convert_model(file, spec, samples, options, quantise, tell)
    _write(converted.files, output)
    for line in _summary(converted, output):
        typer.echo(line)


def _batch(text: str) -> int:
    if text == "dynamic":
        return 0
    if not text.isdecimal() or not 1 <= int(text[:6]) <= 1024:
        raise UsageError(f"--batch must be dynamic or a number from 1 to 1024, got {text}")
    return int(text[:6])


def _check_output(output: Path, format: Format) -> None:
    from streamdet.sinks.targets import InputFiles, check_file

    suffix = ".xml" if format is Format.OPENVINO else ".onnx"
    if output.suffix.casefold() != suffix:
        raise UsageError(f"--format {format} writes {suffix} files: give -o {output.with_suffix(suffix).name}")
    check_file(output, overwrite=True, inputs=InputFiles())


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Yields what shows a line of progress; nothing where nobody watches."""
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("reading") as status:
        yield lambda text: status.update(escape(text))


def _write(files: Mapping[str, bytes], output: Path) -> None:
    """Writes all files under other names first, so that none ever is half of one, nor of an older pair."""
    waiting: list[tuple[Path, Path]] = []
    try:
        for suffix, data in files.items():
            path = output if suffix in (".onnx", ".xml") else output.with_suffix(suffix)
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            waiting.append((part, path))
            part.write_bytes(data)
        for part, path in reversed(waiting):  # the file that names the others comes last
            os.replace(part, path)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or type(error).__name__}") from None
    finally:
        for part, _ in waiting:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _summary(converted: Converted, output: Path) -> list[str]:
    proof, found = converted.proof, converted.proof.agreement
    size = sum(len(data) for data in converted.files.values()) / 1e6
    judged = f"allowed: {proof.strict}" if proof.strict.share else "told, not judged: see int8 below"
    lines = [
        f"wrote {output} ({size:.1f} MB)",
        f"proof: {found.matched} of {found.count} detections on {len(proof.samples)} pictures agree, boxes within "
        f"{found.box:.1g} of the side, scores within {found.score:.1g} ({judged})",
    ]
    if found.borderline and proof.strict.share == 1:
        lines.append(f"       {found.borderline} others are decided by roundings, at a threshold or limit of overlap")
    lines += [f"int8: {line}" for line in converted.report_text.splitlines()]
    lines += [f"note: {note}" for note in converted.notes]
    if converted.spec.random_weights:
        lines.append("warning: random weights, it detects nothing")
    return lines
