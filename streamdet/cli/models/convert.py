"""`streamdet models convert`: converts a model and verifies that its detections stay the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.cli.options import ModelArgument
from streamdet.convert.options import (
    Channels,
    ConvertOptions,
    FileFormat,
    InputType,
    Layout,
    OutputForm,
    TargetPrecision,
)
from streamdet.errors import UsageError
from streamdet.redact import printable

if TYPE_CHECKING:
    from streamdet.convert.artifacts import ConvertedModel


def convert(
    source: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .onnx, or .xml for OpenVINO.")],
    form: Annotated[
        OutputForm | None, typer.Option(help="Outputs: heads (any batch) or published (NMS inside, batch 1).")
    ] = None,
    input_type: Annotated[
        InputType, typer.Option(help="Input type; uint8 includes mean, scale and channel order.")
    ] = InputType.FLOAT32,
    layout: Annotated[Layout, typer.Option(help="Axis order of the input.")] = Layout.NCHW,
    channels: Annotated[
        Channels | None, typer.Option(help="Channel order of a 0..255 input; includes mean and scale.")
    ] = None,
    precision: Annotated[
        TargetPrecision, typer.Option(help="Arithmetic; int8 needs --calibration.")
    ] = TargetPrecision.FP32,
    input_size: Annotated[
        int, typer.Option(help="Side of the input, in pixels; changes the accuracy. 0: unchanged.")
    ] = 0,
    top_boxes: Annotated[int, typer.Option(help="Number of boxes that leave the network, by score. 0: all.")] = 0,
    batch: Annotated[str, typer.Option(help="Batch size: dynamic, or 1 to 1024.")] = "dynamic",
    format: Annotated[
        FileFormat | None, typer.Option(help="File format; default: by the ending of -o. openvino: .xml and .bin.")
    ] = None,
    images: Annotated[str | None, typer.Option(help="Photos for the verification: folder, pattern or list.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Number of photos for the verification.")] = 8,
    calibration: Annotated[
        str | None, typer.Option(help="Photos to calibrate int8 on: folder, pattern or list.")
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option("--annotations", "-a", help="Ground truth of the photos (COCO JSON), to evaluate int8."),
    ] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Maximum loss of int8: of AP with --annotations (default: 0.01), else of agreement with the float "
            "model (default: 0.02).",
        ),
    ] = None,
) -> None:
    """Convert a model, and verify that its detections stay the same.

    The result is compared with its source on images, and written only if they agree.

    The flagship's network is recognized by its structure in any export, and cut before its NMS. Other models keep
    their form; only their precision can change.
    """
    format = format or (FileFormat.OPENVINO if output.suffix.casefold() == ".xml" else FileFormat.ONNX)
    options = ConvertOptions(
        form, input_type, layout, channels, precision, input_size, top_boxes, _batch(batch), format
    )
    _check_output(output, format)
    if precision is not TargetPrecision.INT8:
        _check_int8_options(calibration is not None, annotations is not None, max_loss is not None)
    from streamdet.atomic_write import write_files
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.cli.models.quantize import make_quantizer
    from streamdet.cli.models.sample_images import load_samples
    from streamdet.convert.convert import convert as convert_model
    from streamdet.models.catalog import resolve_model
    from streamdet.models.model_cache import downloader

    with DownloadProgress() as downloading:
        spec, file = resolve_model(source, download=downloader(downloading))
    with suppress(OSError):
        if os.path.samefile(file.name, output):
            raise UsageError(f"{output} is the model being converted; give the output another name")
    if images is None and calibration is not None:
        images = calibration
    samples = load_samples(images, pictures)
    quantizer = (
        make_quantizer(calibration, annotations, images, max_loss) if precision is TargetPrecision.INT8 else None
    )
    if images is None:
        typer.echo("verifying on a synthetic scene; --images DIR verifies on your own photos")
    with _status() as update:
        converted = convert_model(file, spec, samples, options, quantizer, update)
    main = (".onnx", ".xml")
    write_files({output if end in main else output.with_suffix(end): data for end, data in converted.files.items()})
    for line in _summary(converted, output):
        typer.echo(printable(line))


def _batch(text: str) -> int:
    if text == "dynamic":
        return 0
    if not text.isdecimal() or not 1 <= int(text[:6]) <= 1024:
        raise UsageError(f"--batch must be dynamic or a number from 1 to 1024, got {text}")
    return int(text[:6])


def _check_int8_options(calibration: bool, annotations: bool, max_loss: bool) -> None:
    """Checks that no option is given that only INT8 uses.

    Raises:
        UsageError: one of them is given.
    """
    given = {"--calibration": calibration, "--annotations": annotations, "--max-loss": max_loss}
    names = [name for name, is_given in given.items() if is_given]
    if names:
        raise UsageError(f"{', '.join(names)} requires --precision int8: add it, or omit {', '.join(names)}")


def _check_output(output: Path, format: FileFormat) -> None:
    from streamdet.sinks.output_path import InputFiles, check_output_file

    check_output_file(output, overwrite=True, inputs=InputFiles())
    suffix = ".xml" if format is FileFormat.OPENVINO else ".onnx"
    if output.suffix.casefold() != suffix:
        raise UsageError(f"--format {format} writes {suffix} files: give -o {output.with_suffix(suffix).name}")


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Yields a function that shows a line of progress, on a terminal only."""
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("reading") as status:
        yield lambda text: status.update(escape(text))


def _summary(converted: ConvertedModel, output: Path) -> list[str]:
    verification, found = converted.verification, converted.verification.comparison
    size = sum(len(data) for data in converted.files.values()) / 1e6
    tolerance = verification.tolerance
    limits = f"allowed: {tolerance}" if tolerance.share else "no limit here: see int8 below"
    lines = [
        f"wrote {output} ({size:.1f} MB)",
        f"verification: {found.matched} of {found.count} detections on {len(verification.samples)} images agree; "
        f"boxes within {found.max_box_difference:.1g} of the input side, "
        f"scores within {found.max_score_difference:.1g} ({limits})",
    ]
    if found.borderline and tolerance.share == 1:
        lines.append(f"  {found.borderline} others differ by rounding at a score or overlap threshold")
    lines += [f"int8: {line}" for line in converted.quantizer_report.splitlines()]
    lines += [f"note: {note}" for note in converted.notes]
    if converted.spec.random_weights:
        lines.append("warning: random weights, it detects nothing")
    return lines
