"""Pictures of `synthetic:street` to learn from: many short looks at many scenes, rendered once and kept in a file."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdet.evaluate.street import FIRST_TRAINING_SEED, MIN_VISIBLE
from streamdet.inference.providers import available_cpus
from streamdet.interrupts import deferred_interrupts
from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.picture import Picture
from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.rng import SeededRng
from streamdet.scenes.street.scene import StreetScene, StreetTruth
from streamdet.train.assign import LabeledObjects
from streamdet.train.samples import InputResizer

CROPS_PER_SCENE = 8
"""Pictures of each scene: a new scene costs as much as twenty pictures of an old one, and teaches more."""

_SIZES = ((1280, 720), (1280, 720), (960, 540), (640, 360), (1920, 1080), (854, 480), (640, 480), (800, 600))
_APART_S = (0.7, 3.0)

_Job = tuple[int, int, int]
"""Width and height of the pictures, and the scene's seed."""
_Scene = tuple[NDArray[np.uint8], list[LabeledObjects]]
"""Pictures (`CROPS_PER_SCENE`, height, width, 3), and what is in each."""

_stop: Event | None = None
"""Tells a process that renders for another to stop."""


@dataclass(frozen=True, slots=True)
class _Crop:
    """A part of a picture: left, top, width, height in pixels."""

    left: int
    top: int
    width: int
    height: int


class StreetSamples:
    """Rendered pictures, in a file that is mapped into memory.

    Args:
        plan: whose input they are for.
        path: of the file.
        scenes: how many scenes there are, `CROPS_PER_SCENE` pictures of each.
        first_seed: of the scenes.
        on_progress: told (scenes done, scenes in all).
    """

    def __init__(
        self,
        plan: SmallSsdConfig,
        path: Path,
        scenes: int,
        first_seed: int = FIRST_TRAINING_SEED,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        shape = (scenes * CROPS_PER_SCENE, plan.height, plan.width, 3)
        self._pictures: NDArray[np.uint8] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        self._objects: list[LabeledObjects] = []
        jobs = ((plan.width, plan.height, first_seed + k) for k in range(scenes))
        for k, (pictures, objects) in enumerate(_rendered(jobs)):
            self._pictures[k * CROPS_PER_SCENE : (k + 1) * CROPS_PER_SCENE] = pictures
            self._objects += objects
            on_progress(k + 1, scenes)

    def __len__(self) -> int:
        return len(self._objects)

    def picture(self, index: int) -> NDArray[np.uint8]:  # noqa: D102
        picture: NDArray[np.uint8] = self._pictures[index]
        return picture

    def objects(self, index: int) -> LabeledObjects:  # noqa: D102
        return self._objects[index]

    def close(self) -> None:
        """Lets go of the file, so that it can be deleted on every system; there are no pictures any more."""
        self._pictures = np.empty((0, *self._pictures.shape[1:]), np.uint8)
        self._objects = []


def _rendered(jobs: Iterable[_Job]) -> Iterator[_Scene]:
    """Yields scenes in order, from processes of their own; whoever stops early waits for a picture, not for scenes."""
    context = multiprocessing.get_context("spawn")  # kernels' threads and locks do not survive a fork
    stop = context.Event()
    with ProcessPoolExecutor(available_cpus(), context, _obey, (stop,)) as pool:
        try:
            with deferred_interrupts():
                scenes = pool.map(_scene, jobs, chunksize=4)
            yield from scenes
        except BaseException:
            # Not by ending the processes: the pool would complain of each of them in a thread of its own.
            stop.set()
            raise


def _obey(stop: Event) -> None:
    """Makes a process render no more once `stop` is set."""
    global _stop
    _stop = stop


def _stopped() -> bool:
    return _stop is not None and _stop.is_set()


def _scene(job: _Job) -> _Scene:
    """Renders the looks of one scene; in a process of its own."""
    width, height, seed = job
    pictures, found = np.empty((CROPS_PER_SCENE, height, width, 3), np.uint8), []
    fit = InputResizer(width, height)
    for k, (picture, objects) in enumerate(() if _stopped() else _looks(seed)):
        fit(picture, pictures[k])
        found.append(objects)
        if _stopped():
            break
    return pictures, found


def _looks(seed: int) -> Iterator[tuple[Picture, LabeledObjects]]:
    rng = SeededRng(seed, "training")
    scene = StreetScene(_options(rng, seed))
    time_s = rng.uniform(0, 30)
    for _ in range(CROPS_PER_SCENE):
        time_s += rng.uniform(*_APART_S)
        index = round(time_s * float(scene.options.fps))
        picture, truth = scene.render(index), scene.full_ground_truth(index)
        look = _part(rng, picture.width, picture.height)
        bgr = picture.bgr()[look.top : look.top + look.height, look.left : look.left + look.width]
        yield Picture.from_bgr(bgr), objects_in(truth, look.left, look.top, look.width, look.height)


def _options(rng: SeededRng, seed: int) -> StreetOptions:
    width, height = rng.choice(_SIZES)
    return StreetOptions(
        objects=round(rng.uniform(6, 20)),
        width=width,
        height=height,
        seed=seed,
        noise=rng.uniform(0, 6),
        shake=rng.uniform(0, 3),
        pan=rng.uniform(0, 8),
        light=rng.uniform(0, 40),
        jpeg=round(rng.uniform(40, 95)) if rng.bernoulli(0.4) else 0,
    )


def _part(rng: SeededRng, width: int, height: int) -> _Crop:
    """Returns the whole picture, or a part of about its form, so that sizes and places vary."""
    if rng.bernoulli(0.5):
        return _Crop(0, 0, width, height)
    share = rng.uniform(0.55, 1.0)
    across, down = (min(round(side * share * rng.uniform(0.85, 1.15)), side) for side in (width, height))
    return _Crop(round(rng.uniform(0, width - across)), round(rng.uniform(0, height - down)), across, down)


def objects_in(truth: StreetTruth, left: float, top: float, width: float, height: float) -> LabeledObjects:
    """Returns what is in a part of a picture; what the part cuts off of an object cannot be seen."""
    corner, size = np.array([left, top] * 2, np.float32), np.array([width, height] * 2, np.float32)
    boxes: NDArray[np.float32] = (truth.boxes_xyxy - corner) / size
    visible = truth.visible * kept_share(boxes)
    inside = visible > 0
    boxes = boxes.clip(0, 1)
    return LabeledObjects(boxes[inside], truth.class_ids.astype(np.int64)[inside], (visible < MIN_VISIBLE)[inside])


def kept_share(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns which share of each of (N, 4) boxes lies in the unit square, (N,) float32."""
    cut = boxes_xyxy.clip(0, 1)
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    kept: NDArray[np.float32] = (cut[:, 2:] - cut[:, :2]).prod(axis=1) / np.maximum(areas, np.float32(1e-9))
    return kept
