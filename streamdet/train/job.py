"""Training jobs: trains a small SSD and writes the model file after each epoch."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from streamdet.atomic_write import write_files
from streamdet.errors import SinkError, UsageError
from streamdet.evaluate.street import FIRST_TRAINING_SEED
from streamdet.models.description_keys import MAX_LABEL_LENGTH
from streamdet.models.ssd_small import SmallSsdConfig, Weights, build_small
from streamdet.scenes.street.trajectories import LABELS
from streamdet.train.network import SmallSsd
from streamdet.train.samples import Samples
from streamdet.train.street_samples import CROPS_PER_SCENE, StreetSamples
from streamdet.train.training_loop import Recipe, TrainingProgress, train
from streamdet.version import __version__

TRAINED_KEY = "streamdet.trained"
"""Metadata key of a trained model: JSON with the recipe and a description of the training data."""

DEMO_CONFIG = SmallSsdConfig(LABELS)
DEMO_SCENES = 1000
DEMO_RECIPE = Recipe(epochs=9)


def run_job(
    config: SmallSsdConfig,
    samples: Samples,
    recipe: Recipe,
    output: Path,
    training_data: str,
    start: Weights | None = None,
    on_step: Callable[[TrainingProgress], None] = lambda step: None,
) -> list[str]:
    """Trains a small SSD and writes it to a file after each epoch, so that a stopped job leaves the last epoch's model.

    Args:
        config: the network.
        samples: the training data.
        recipe: hyperparameters.
        output: ONNX file to write.
        training_data: description of the training data, for the file's metadata.
        start: initial weights; weights without a match in shape are random, as all are without `start`.
        on_step: called after each step.

    Returns:
        The names of the weights that were initialized at random.

    Raises:
        SinkError: the file cannot be written.
    """
    network = SmallSsd(config, recipe.seed)
    unmatched = network.load(start or {})
    recorded_recipe = {key: value for key, value in asdict(recipe).items() if key not in ("device", "threads")}
    epoch = 0

    def write(mean: SmallSsd) -> None:
        nonlocal epoch
        epoch += 1
        trained = {**recorded_recipe, "epochs_done": epoch, "pictures": len(samples), "learned_from": training_data}
        about = {TRAINED_KEY: json.dumps({**trained, "streamdet": __version__})}
        write_files({output: build_small(config, mean.weights(), about).SerializeToString(deterministic=True)})

    train(network, samples, recipe, on_step, write)
    return unmatched


@contextmanager
def demo_samples(
    folder: Path, scenes: int = DEMO_SCENES, seed: int = 0, on_progress: Callable[[int, int], None] = lambda d, t: None
) -> Iterator[StreetSamples]:
    """Renders the training data of the demo detector into a temporary file.

    Args:
        folder: folder for the temporary file.
        scenes: number of scenes.
        seed: selects the scenes; different seeds share none.
        on_progress: called with (scenes done, total).

    Raises:
        SinkError: not enough free disk space.
    """
    needed = scenes * CROPS_PER_SCENE * DEMO_CONFIG.width * DEMO_CONFIG.height * 3
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SinkError(
            f"the rendered pictures need {needed / 1e9:.1f} GB in {folder}, only {free / 1e9:.1f} GB are free: "
            "give an output on another disk, or fewer --scenes"
        )
    with tempfile.TemporaryDirectory(prefix=".street-", dir=folder) as temporary:
        first = FIRST_TRAINING_SEED * (1 + seed)
        with closing(
            StreetSamples(DEMO_CONFIG, Path(temporary) / "pictures.npy", scenes, first, on_progress)
        ) as samples:
            yield samples


def labels_of(categories: Mapping[int, str], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of the classes to learn, in the order of their category ids.

    Raises:
        UsageError: a wanted class is not a category, two categories share a name, or a name does not fit a model file.
    """
    names = [categories[number] for number in sorted(categories)]
    if len(set(names)) < len(names):
        raise UsageError("two categories of the annotations have the same name: give each category a unique name")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is not a category of the annotations, which are: {', '.join(names[:20])}")
    labels = tuple(name for name in names if not wanted or name in wanted)
    bad = [name for name in labels if not name.isprintable() or len(name) > MAX_LABEL_LENGTH]
    if bad:
        raise UsageError(f"bad category name {bad[0][:40]!r}: use up to {MAX_LABEL_LENGTH} printable characters")
    return labels
