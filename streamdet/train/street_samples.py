"""Training samples from `synthetic:street`: crops of many scenes, rendered once and stored in a file."""

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
from streamdet.train.assign import AnnotatedObjects
from streamdet.train.samples import InputResizer

CROPS_PER_SCENE = 8
"""Pictures of each scene. A new scene costs as much time as twenty more pictures of one, and improves training more."""

_SIZES = ((1280, 720), (1280, 720), (960, 540), (640, 360), (1920, 1080), (854, 480), (640, 480), (800, 600))
_INTERVAL_S = (0.7, 3.0)
"""Time from one picture of a scene to the next."""

_Job = tuple[int, int, int]
"""Width and height of the pictures, and the scene's seed."""
_Scene = tuple[NDArray[np.uint8], list[AnnotatedObjects]]
"""Pictures (`CROPS_PER_SCENE`, height, width, 3), and the objects in each."""

_stop: Event | None = None
"""Set in a worker process: the event that stops rendering."""


@dataclass(frozen=True, slots=True)
class _Crop:
    """A crop of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int


class StreetSamples:
    """Rendered pictures in a memory-mapped file.

    Args:
        config: the network they are for.
        path: of the file.
        scenes: number of scenes, with `CROPS_PER_SCENE` pictures each.
        first_seed: seed of the first scene; the next scenes have the next seeds.
        on_progress: called with (scenes done, total).
    """

    def __init__(
        self,
        config: SmallSsdConfig,
        path: Path,
        scenes: int,
        first_seed: int = FIRST_TRAINING_SEED,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        shape = (scenes * CROPS_PER_SCENE, config.height, config.width, 3)
        self._pictures: NDArray[np.uint8] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        self._objects: list[AnnotatedObjects] = []
        jobs = ((config.width, config.height, first_seed + k) for k in range(scenes))
        for k, (pictures, objects) in enumerate(_rendered(jobs)):
            self._pictures[k * CROPS_PER_SCENE : (k + 1) * CROPS_PER_SCENE] = pictures
            self._objects += objects
            on_progress(k + 1, scenes)

    def __len__(self) -> int:
        return len(self._objects)

    def picture(self, index: int) -> NDArray[np.uint8]:  # noqa: D102
        picture: NDArray[np.uint8] = self._pictures[index]
        return picture

    def objects(self, index: int) -> AnnotatedObjects:  # noqa: D102
        return self._objects[index]

    def close(self) -> None:
        """Unmaps the file, so that it can be deleted on every operating system; afterwards there are no pictures."""
        self._pictures = np.empty((0, *self._pictures.shape[1:]), np.uint8)
        self._objects = []


def _rendered(jobs: Iterable[_Job]) -> Iterator[_Scene]:
    """Yields scenes in order from worker processes; stopping early waits for one picture per worker, not for scenes."""
    context = multiprocessing.get_context("spawn")  # kernels' threads and locks do not survive a fork
    stop = context.Event()
    with ProcessPoolExecutor(available_cpus(), context, _init_worker, (stop,)) as pool:
        try:
            with deferred_interrupts():
                scenes = pool.map(_render_scene, jobs, chunksize=4)
            yield from scenes
        except BaseException:
            # Terminating the processes instead would make the pool's thread report each of them as broken.
            stop.set()
            raise


def _init_worker(stop: Event) -> None:
    """Initializes a worker process, which stops rendering once `stop` is set."""
    global _stop
    _stop = stop


def _stopped() -> bool:
    return _stop is not None and _stop.is_set()


def _render_scene(job: _Job) -> _Scene:
    """Renders the crops of one scene; runs in a worker process."""
    width, height, seed = job
    pictures, annotated = np.empty((CROPS_PER_SCENE, height, width, 3), np.uint8), []
    resize = InputResizer(width, height)
    for k, (picture, objects) in enumerate(() if _stopped() else _crops(seed)):
        resize(picture, pictures[k])
        annotated.append(objects)
        if _stopped():
            break
    return pictures, annotated


def _crops(seed: int) -> Iterator[tuple[Picture, AnnotatedObjects]]:
    rng = SeededRng(seed, "training")
    scene = StreetScene(_options(rng, seed))
    time_s = rng.uniform(0, 30)
    for _ in range(CROPS_PER_SCENE):
        time_s += rng.uniform(*_INTERVAL_S)
        index = round(time_s * float(scene.options.fps))
        picture, truth = scene.render(index), scene.full_ground_truth(index)
        crop = _random_crop(rng, picture.width, picture.height)
        bgr = picture.bgr()[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        yield Picture.from_bgr(bgr), objects_in(truth, crop.left, crop.top, crop.width, crop.height)


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


def _random_crop(rng: SeededRng, width: int, height: int) -> _Crop:
    """Returns the complete picture or a crop of a similar shape, so that sizes and positions of objects vary."""
    if rng.bernoulli(0.5):
        return _Crop(0, 0, width, height)
    share = rng.uniform(0.55, 1.0)
    across, down = (min(round(side * share * rng.uniform(0.85, 1.15)), side) for side in (width, height))
    return _Crop(round(rng.uniform(0, width - across)), round(rng.uniform(0, height - down)), across, down)


def objects_in(truth: StreetTruth, left: float, top: float, width: float, height: float) -> AnnotatedObjects:
    """Returns the objects in a crop of a picture; parts of an object outside the crop count as hidden."""
    corner, size = np.array([left, top] * 2, np.float32), np.array([width, height] * 2, np.float32)
    boxes: NDArray[np.float32] = (truth.boxes_xyxy - corner) / size
    visible = truth.visible * kept_share(boxes)
    inside = visible > 0
    boxes = boxes.clip(0, 1)
    return AnnotatedObjects(boxes[inside], truth.class_ids.astype(np.int64)[inside], (visible < MIN_VISIBLE)[inside])


def kept_share(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the share of the area of each of (N, 4) boxes that is inside the unit square, (N,) float32."""
    cut = boxes_xyxy.clip(0, 1)
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    kept: NDArray[np.float32] = (cut[:, 2:] - cut[:, :2]).prod(axis=1) / np.maximum(areas, np.float32(1e-9))
    return kept
