"""From a recipe to a file: trains, and after each epoch writes the model as it is by then."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import streamdet
from streamdet.atomic_write import write_files
from streamdet.errors import SinkError, UsageError
from streamdet.evaluate.street import FIRST_TRAINING_SEED
from streamdet.models.description_keys import LONGEST_LABEL
from streamdet.models.ssd_small import SmallSsdConfig, Weights, build_small
from streamdet.scenes.street.trajectories import LABELS
from streamdet.train.network import SmallSsd
from streamdet.train.samples import Samples
from streamdet.train.street_samples import CROPS_PER_SCENE, StreetSamples
from streamdet.train.training_loop import Recipe, TrainingProgress, train

TRAINED_KEY = "streamdet.trained"
"""Metadata key of a trained model: JSON with the recipe and what it learned from."""

DEMO_PLAN = SmallSsdConfig(LABELS)
DEMO_SCENES = 1000
DEMO_RECIPE = Recipe(epochs=9)


def run_job(
    plan: SmallSsdConfig,
    samples: Samples,
    recipe: Recipe,
    output: Path,
    learned_from: str,
    start: Weights | None = None,
    on_step: Callable[[TrainingProgress], None] = lambda step: None,
) -> list[str]:
    """Trains a small SSD and writes it to a file, after each epoch anew: a stopped job leaves what it had.

    Args:
        plan: what it is.
        samples: to learn from.
        recipe: how.
        output: ONNX file.
        learned_from: in words, for the file's metadata.
        start: weights to start from; those that do not fit are drawn anew, as all are without any.
        on_step: told after each step.

    Returns:
        The names of weights that were drawn anew.

    Raises:
        SinkError: the file cannot be written.
    """
    network = SmallSsd(plan, recipe.seed)
    fresh = network.load(start or {})
    recipe_said = {key: value for key, value in asdict(recipe).items() if key not in ("device", "threads")}
    epoch = 0

    def write(mean: SmallSsd) -> None:
        nonlocal epoch
        epoch += 1
        trained = {**recipe_said, "epochs_done": epoch, "pictures": len(samples), "learned_from": learned_from}
        about = {TRAINED_KEY: json.dumps({**trained, "streamdet": streamdet.__version__})}
        write_files({output: build_small(plan, mean.weights(), about).SerializeToString(deterministic=True)})

    train(network, samples, recipe, on_step, write)
    return fresh


@contextmanager
def demo_samples(
    beside: Path, scenes: int = DEMO_SCENES, seed: int = 0, on_progress: Callable[[int, int], None] = lambda d, t: None
) -> Iterator[StreetSamples]:
    """Renders what the demo detector learns from; the file is gone afterwards.

    Args:
        beside: folder in which the pictures are kept meanwhile.
        scenes: how many there are.
        seed: another one renders other scenes.
        on_progress: told (scenes done, scenes in all).

    Raises:
        SinkError: there is not enough room.
    """
    needed = scenes * CROPS_PER_SCENE * DEMO_PLAN.width * DEMO_PLAN.height * 3
    free = shutil.disk_usage(beside).free
    if free < needed:
        raise SinkError(
            f"the pictures need {needed / 1e9:.1f} GB beside the output, {free / 1e9:.1f} are free: "
            "give an output elsewhere, or fewer --scenes"
        )
    with tempfile.TemporaryDirectory(prefix=".street-", dir=beside) as folder:
        first = FIRST_TRAINING_SEED * (1 + seed)
        with closing(StreetSamples(DEMO_PLAN, Path(folder) / "pictures.npy", scenes, first, on_progress)) as samples:
            yield samples


def labels_of(categories: Mapping[int, str], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of the classes to learn, in the order of their category ids.

    Raises:
        UsageError: one that is wanted is no category, two share a name, or a name cannot be in a model's file.
    """
    names = [categories[number] for number in sorted(categories)]
    if len(set(names)) < len(names):
        raise UsageError("two categories of the annotations have the same name: give each its own")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no category of the annotations: they are {', '.join(names[:20])}")
    labels = tuple(name for name in names if not wanted or name in wanted)
    bad = [name for name in labels if not name.isprintable() or len(name) > LONGEST_LABEL]
    if bad:
        raise UsageError(f"the category {bad[0][:40]!r} needs a name of up to {LONGEST_LABEL} printable characters")
    return labels
