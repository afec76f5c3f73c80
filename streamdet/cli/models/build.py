"""`streamdet models build`: writes the flagship's architecture with random weights."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streamdet.errors import UsageError


class _Form(StrEnum):
    heads = "heads"
    published = "published"


def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Architecture: ssd-resnet34-1200.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="ONNX file to write.")],
    form: Annotated[
        _Form, typer.Option(help="Outputs: heads (raw, any batch) or published (NMS inside, batch 1).")
    ] = _Form.heads,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the weights.")] = 0,
) -> None:
    """Write the flagship's architecture with RANDOM WEIGHTS.

    For timing and tests; it detects nothing.
    """
    from streamdet.atomic_write import write_files
    from streamdet.models.catalog import find_model
    from streamdet.sinks.output_path import InputFiles, check_output_file

    spec = find_model(name)
    if spec is None or spec.name != "ssd-resnet34-1200":
        raise UsageError(f"cannot build {name!r}: only ssd-resnet34-1200 can be built")
    check_output_file(output, overwrite=True, inputs=InputFiles())
    if output.suffix.casefold() != ".onnx":
        raise UsageError(f"build writes .onnx files: give -o {output.with_suffix('.onnx').name}")
    from streamdet.models.ssd_resnet34 import SsdOutputs
    from streamdet.models.ssd_resnet34 import build_ssd_resnet34 as build_graph

    write_files({output: build_graph(SsdOutputs(form.value), seed=seed).SerializeToString()})
    typer.echo(
        f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB, seed {seed}): random weights, it detects nothing"
    )
