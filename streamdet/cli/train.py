"""`streamdet train`: trains small SSDs."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from streamdet.cli.options import NoProgress
from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.models.ssd_small import SmallSsdConfig, Weights
    from streamdet.train.training_loop import TrainingProgress

app = typer.Typer(help="Train a small SSD: the demo detector, or one for your own classes.", no_args_is_help=True)

Output = Annotated[Path, typer.Option("-o", "--output", help="ONNX file to write, after each epoch.")]
Epochs = Annotated[int, typer.Option(min=1, help="Number of passes over the training images.")]
Seed = Annotated[int, typer.Option(min=0, max=1000, help="Random seed.")]
Device = Annotated[str, typer.Option(help="PyTorch device: auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0: all processors.")]

_LINE_EVERY_S = 30.0


@app.callback()
def group() -> None:
    """Train a small SSD: the demo detector, or one for your own classes."""


@app.command("demo")
def demo(
    output: Output,
    scenes: Annotated[int, typer.Option(min=1, help="Training scenes to render, 8 images each.")] = 1000,
    epochs: Epochs = 9,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = 0,
    quiet: NoProgress = False,
) -> None:
    """Train ssd-demo from scratch on synthetic streets.

    Afterwards it is evaluated on streets that are not in the training set.
    """
    _check_torch(device)
    _check_output(output)
    from dataclasses import replace

    from streamdet.train.job import DEMO_CONFIG, DEMO_RECIPE, demo_samples, run_job

    recipe = replace(DEMO_RECIPE, epochs=epochs, seed=seed, device=device, threads=threads)
    folder = output.absolute().parent
    learned_from = f"synthetic:street, {scenes} scenes"
    with (
        _TrainProgress(quiet) as progress,
        demo_samples(folder, scenes, seed, progress.rendering) as samples,
    ):
        run_job(DEMO_CONFIG, samples, recipe, output, learned_from, on_step=progress.step)
    _print_written(output, quiet)
    from streamdet.evaluate.street import HELD_OUT, evaluate_street
    from streamdet.inference.detector import DetectorOptions, load_detector

    with (
        load_detector(output, DetectorOptions(conf=0.01, max_detections=100)) as detector,
        _TrainProgress(quiet) as progress,
    ):
        total = len(HELD_OUT.seeds) * len(HELD_OUT.frames)
        numbers = evaluate_street(detector, HELD_OUT.pictures(), lambda done: progress.evaluating(done, total)).numbers
    typer.echo(f"on {HELD_OUT}: AP {numbers.ap:.3f}, AP50 {numbers.ap50:.3f}, AP75 {numbers.ap75:.3f}")


@app.command("coco")
def coco(
    images: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with the training images.")],
    annotations: Annotated[Path, typer.Option("--annotations", "-a", help="Annotations in COCO format.")],
    output: Output,
    classes: Annotated[str, typer.Option(help="Classes to learn, e.g. person,car; default: all.")] = "",
    start: Annotated[str, typer.Option(help="Initial weights: ssd-demo, a trained file, or none.")] = "ssd-demo",
    size: Annotated[str, typer.Option(help="Input size, multiples of 32.")] = "416x256",
    epochs: Epochs = 50,
    rate: Annotated[float, typer.Option(min=0.0, help="Peak learning rate.")] = 1e-3,
    batch: Annotated[int, typer.Option(min=1, help="Images per training step.")] = 32,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = 0,
    quiet: NoProgress = False,
) -> None:
    """Train a small SSD on your own annotated images."""
    _check_torch(device)
    _check_output(output)
    from streamdet.evaluate.ground_truth import read_ground_truth
    from streamdet.train.coco import CocoSamples
    from streamdet.train.job import labels_of, run_job
    from streamdet.train.training_loop import Recipe

    ground_truth = read_ground_truth(annotations)
    wanted = tuple(name.strip() for name in classes.split(",") if name.strip())
    config = _config(labels_of(ground_truth.categories, wanted), size)
    samples = CocoSamples(config, ground_truth, images)
    recipe = Recipe(epochs, batch, rate, seed, device, threads)
    with _TrainProgress(quiet) as progress:
        random_weights = run_job(
            config, samples, recipe, output, annotations.name, _initial_weights(start), progress.step
        )
    _print_written(output, quiet)
    if start != "none" and not quiet:
        typer.echo(
            f"started from {start}"
            + (f", except {len(random_weights)} weights that do not fit" if random_weights else "")
        )
    typer.echo(f"to evaluate it on other images: streamdet eval coco -m {output} --images FOLDER -a FILE")


def _check_torch(device: str) -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise UsageError("training needs PyTorch: pip install torch") from None
    from streamdet.train.training_loop import device_of

    device_of(device)


def _check_output(output: Path) -> None:
    from streamdet.sinks.output_path import InputFiles, check_output_file

    check_output_file(output, overwrite=True, inputs=InputFiles())
    if output.suffix.casefold() != ".onnx":
        raise UsageError(f"train writes .onnx files: give -o {output.with_suffix('.onnx').name}")


def _config(labels: tuple[str, ...], size: str) -> SmallSsdConfig:
    from streamdet.models.ssd_small import SmallSsdConfig

    match = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", size)
    if not match:
        raise UsageError(f"--size {size!r} is not a size: give WIDTHxHEIGHT, for example 416x256")
    try:
        return SmallSsdConfig(labels, int(match[1]), int(match[2]))
    except ValueError as error:
        raise UsageError(f"--size {size}: {error}") from None


def _initial_weights(model: str) -> Weights | None:
    if model == "none":
        return None
    from streamdet.models.catalog import resolve_model
    from streamdet.models.onnx_file import parse_onnx
    from streamdet.models.ssd_small import stored_weights

    _, file = resolve_model(model)
    weights = stored_weights(parse_onnx(file.data, file.name))
    if "stem0.weight" not in weights:
        raise UsageError(f"--start {model}: not a model made by `streamdet train`: give one, or none")
    return weights


def _print_written(output: Path, quiet: bool) -> None:
    if not quiet:
        typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB)")


class _TrainProgress:
    """Shows the progress of rendering, training and evaluation on stderr.

    On a terminal it is a progress bar, elsewhere a line every 30 seconds.
    """

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._started_s = time.monotonic()
        self._line_s = self._started_s

    def __enter__(self) -> _TrainProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def rendering(self, done: int, total: int) -> None:
        """Updates the number of rendered scenes."""
        self._show("rendering scenes", f"rendering scenes {done}/{total}", done, total)

    def step(self, step: TrainingProgress) -> None:
        """Updates the training step and its loss."""
        words = f"epoch {step.epoch}, loss {step.score_loss:.3f} + {step.box_loss:.3f}"
        self._show("training", words, step.done, step.total)

    def evaluating(self, done: int, total: int) -> None:
        """Updates the number of evaluated images."""
        self._show("evaluating", "evaluating", done, total)

    def _show(self, what: str, words: str, done: int, total: int) -> None:
        if self._console.is_terminal:
            if what not in self._tasks:
                self._tasks[what] = self._bar.add_task(what, total=total)
            self._bar.update(self._tasks[what], completed=done, description=words)
            return
        now = time.monotonic()
        if done == total or now - self._line_s > _LINE_EVERY_S:
            self._line_s = now
            self._console.print(f"{now - self._started_s:.0f} s: {words}, {done} of {total}")
