"""`streamdet models benchmark`: the speed of models on this machine, and the machine's own limit."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.cli.options import AsJson, Threads
from streamdet.interrupts import InterruptListener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamdet.bench.inference import InferenceTiming


_WIDTH = 140
"""Characters of the widest table."""


class _Provider(StrEnum):
    cpu = "cpu"
    openvino = "openvino"
    cuda = "cuda"
    tensorrt = "tensorrt"


class _Precision(StrEnum):
    auto = "auto"
    fp32 = "fp32"
    fp16 = "fp16"
    bf16 = "bf16"
    int8 = "int8"


def benchmark(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="Detectors to compare: names, .onnx files or .yaml descriptions."),
    ],
    provider: Annotated[
        list[_Provider] | None,
        typer.Option("--provider", "-d", "--device", help="Backend to measure; repeatable; default: all that work."),
    ] = None,
    precision: Annotated[
        list[_Precision] | None,
        typer.Option("--precision", help="Arithmetic to measure; repeatable; default: all that work."),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option("--batch", min=1, help="Batch size to measure the throughput of; repeatable."),
    ] = None,
    rounds: Annotated[
        int, typer.Option("--rounds", "-n", min=1, help="Number of times that each candidate is measured.")
    ] = 11,
    threads: Threads = 0,
    against_openvino: Annotated[
        bool, typer.Option("--against-openvino", help="Measure OpenVINO's own runtime too, as its manual uses it.")
    ] = False,
    roofline: Annotated[bool, typer.Option(help="Measure the machine's own limits too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Time models on every provider and precision of this machine.

    All candidates take turns in one run, one image at a time, because the speed of a machine changes over time: compare
    the ratios. "of machine" is the inference rate relative to that of plain large convolutions on the same provider.
    """
    from streamdet.bench.candidates import baselines, load_benchmarked_model, make_candidates
    from streamdet.bench.inference import load_warning, measure
    from streamdet.bench.roofline import copy_bandwidth
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.errors import HardwareError, UsageError
    from streamdet.inference.providers import Precision, Provider
    from streamdet.models.model_cache import downloader

    if against_openvino:
        from streamdet.openvino_runtime import has_openvino

        if not has_openvino():
            raise UsageError("--against-openvino needs the package openvino: pip install openvino")
    load = load_warning()
    with InterruptListener():  # Ctrl-C ends the process at once: nothing is lost
        with DownloadProgress() as downloading:
            measured_models = [load_benchmarked_model(model, threads, downloader(downloading)) for model in models]
        wanted = [Provider[name.value.upper()] for name in provider] if provider else list(Provider)[::-1]
        ours, skipped = make_candidates(measured_models, wanted, [Precision(name.value) for name in precision or ()])
        if not ours:
            raise HardwareError(f"nothing to measure: {'; '.join(skipped)}")
        candidates = [one for made in ours for one in (made, *baselines(made, against_openvino))]
        rows = measure(candidates, rounds, batch or (), roofline)
    max_threads = max(one.threads for one in measured_models)
    notes = [load] if load else []
    notes += [f"{one.name}: random weights, it detects nothing" for one in measured_models if one.spec.random_weights]
    notes += [f"skipped: {reason}" for reason in skipped]
    bandwidth = copy_bandwidth(max_threads) if roofline else 0.0
    if as_json:
        listed = [asdict(row) | {"images_per_s": dict(row.images_per_s)} for row in rows]
        typer.echo(
            json.dumps({"rows": listed, "copy_gb_per_s": bandwidth, "threads": max_threads, "notes": notes}, indent=2)
        )
        return
    _print(rows, [*_roofline_notes(rows, bandwidth, max_threads), *notes], batch or ())


def _print(rows: Sequence[InferenceTiming], notes: Sequence[str], batches: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)  # a pipe has no width; a narrow terminal wraps, without losing a figure
    table = Table(show_edge=False, box=None, padding=(0, 1))
    several = len({row.model for row in rows}) > 1
    for column in ["model", "runs on"] if several else ["runs on"]:
        table.add_column(column, no_wrap=True)
    for column in ["infer", "p95", "pre", "post", "pre+post", "of machine", "speed", *(f"x{n} /s" for n in batches)]:
        table.add_column(column, justify="right", no_wrap=True)
    slowest = max(row.median_ms for row in rows)
    for row in rows:
        stages = (_ms(row.preprocess_ms), _ms(row.postprocess_ms), f"{row.overhead:.1%}")
        rates = dict(row.images_per_s)
        table.add_row(
            *([row.model] if several else []),
            *(f"{row.runs_on} {row.precision}", _ms(row.median_ms), _ms(row.p95_ms)),
            *(stages if row.preprocess_ms else ("", "", "")),
            f"{row.floor_ms / row.median_ms:.0%}" if row.floor_ms else "",
            f"{slowest / row.median_ms:.2f}",
            *(f"{rates[count]:.3g}" if count in rates else "" for count in batches),
        )
    console.print(table)
    for note in notes:
        console.print(f"  {note}", soft_wrap=True, markup=False)


def _roofline_notes(rows: Sequence[InferenceTiming], bandwidth: float, threads: int) -> list[str]:
    notes = [
        f"{threads} threads; medians of one image at a time; speed: relative to the slowest row; xN /s: batches of N"
    ]
    if bandwidth:
        notes.append(f"memory copy: {bandwidth:.1f} GB/s (bytes read and written)")
    for row in rows:
        if row.floor_ms:
            notes.append(
                f"{row.model} on {row.runs_on} in {row.precision}: {row.gflop:.1f} GFLOP at "
                f"{row.machine_gflops:.0f} GFLOP/s = floor {_ms(row.floor_ms)}; measured {_ms(row.median_ms)} = "
                f"{row.floor_ms / row.median_ms:.0%} of the machine"
            )
    for row, baseline in pairwise(rows):
        if baseline.runs_on.startswith("plain"):
            speed = f"{baseline.median_ms / row.median_ms:.2f} of the speed of {baseline.runs_on}"
            notes.append(f"{row.model} on {row.runs_on} in {row.precision}: {speed}")
    return notes


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
