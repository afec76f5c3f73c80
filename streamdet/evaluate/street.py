"""How well a detector finds what is in `synthetic:street`, whose truth is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamdet.evaluate.class_map import map_classes
from streamdet.evaluate.coco_ap import CocoAp, coco_ap
from streamdet.evaluate.coco_detections import CocoDetections, ImageDetections, image_detections
from streamdet.evaluate.ground_truth import AnnotatedImage, CocoGroundTruth
from streamdet.evaluate.mot import MotResult, MotSequence, evaluate_sequences
from streamdet.inference.detector import ModelDetector
from streamdet.picture import Picture
from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.scene import StreetScene, StreetTruth
from streamdet.scenes.street.trajectories import LABELS
from streamdet.tracking.tracker import ByteTracker
from streamdet.tracking.tracker_options import TrackerOptions
from streamdet.types import Detections

MIN_VISIBLE = 0.25
"""An object of which less can be seen is neither to be found nor wrong to find: COCO's crowds. The share that the
benchmarks of pedestrian tracking use (MOT16, Milan et al. 2016)."""

FIRST_TRAINING_SEED = 1 << 20
"""Scenes with seeds from here on are what the demo detector learned from; all others it has never seen."""

Shown = tuple[Picture, StreetTruth]


@dataclass(frozen=True, slots=True)
class StreetSet:
    """A set of pictures to measure with.

    Attributes:
        seeds: one scene each.
        frames: which of each scene.
        options: of all scenes, whatever its seed.
    """

    seeds: tuple[int, ...]
    frames: tuple[int, ...]
    options: StreetOptions = field(default_factory=StreetOptions)

    def __str__(self) -> str:
        options = self.options
        scenes = f"{len(self.seeds)} scenes (seeds {self.seeds[0]} to {self.seeds[-1]})"
        return f"{len(self.seeds) * len(self.frames)} pictures of {scenes}, {options.width}x{options.height}"

    def pictures(self) -> Iterator[Shown]:
        """Yields its pictures, and what is in them."""
        return pictures(self.seeds, self.frames, self.options)


def pictures(seeds: Sequence[int], frames: Sequence[int], options: StreetOptions | None = None) -> Iterator[Shown]:
    """Yields pictures of scenes, and what is in them.

    Args:
        seeds: one scene each.
        frames: which of each scene.
        options: of all scenes, whatever its seed.
    """
    options = options or StreetOptions()
    for seed in seeds:
        scene = StreetScene(replace(options, seed=seed))
        for frame in frames:
            yield scene.render(frame), scene.full_ground_truth(frame)


HELD_OUT = StreetSet(tuple(range(1, 61)), (0, 75, 150, 225))
"""What the demo detector is measured with: scenes as `synthetic:street` shows them, none of which it learned from."""


def coco_ground_truth(
    seen: Sequence[StreetTruth], size: tuple[int, int], min_visible: float = MIN_VISIBLE
) -> CocoGroundTruth:
    """Returns what is in a number of pictures in COCO's terms; categories are numbered from 1, pictures from 0."""
    boxes = [truth.boxes_xyxy.astype(np.float64) for truth in seen]
    corners = np.concatenate([*boxes, np.empty((0, 4))])
    sides = corners[:, 2:] - corners[:, :2]
    visible = np.concatenate([*(truth.visible for truth in seen), np.empty(0, np.float32)])
    shown = visible > 0
    truth = CocoGroundTruth(
        name="synthetic:street",
        sha256="",
        images=tuple(AnnotatedImage(i, f"{i}", *size) for i in range(len(seen))),
        categories={number: label for number, label in enumerate(LABELS, 1)},
        image_ids=np.repeat(np.arange(len(seen)), [len(part) for part in boxes])[shown],
        category_ids=np.concatenate([*(t.class_ids.astype(np.int64) for t in seen), np.empty(0, np.int64)])[shown] + 1,
        boxes_xywh=np.concatenate([corners[:, :2], sides], axis=1)[shown],
        areas=sides.prod(axis=1)[shown],
        crowd=visible[shown] < min_visible,
    )
    return truth


def mot_ground_truth(
    exact: Sequence[StreetTruth], min_visible: float = MIN_VISIBLE
) -> tuple[list[Detections], list[NDArray[np.bool_]]]:
    """Returns what is there in each frame, with identities, and which of it need not be shown: see `MIN_VISIBLE`."""
    return [truth.detections(min_visible=0.0) for truth in exact], [truth.visible < min_visible for truth in exact]


def track_street(
    detector: ModelDetector,
    scenes: Sequence[StreetOptions],
    frames: int,
    on_progress: Callable[[int], None] = lambda done: None,
    min_visible: float = MIN_VISIBLE,
) -> MotResult:
    """Runs a detector and the tracker over scenes, every frame of them, and compares what they show with the truth.

    Args:
        detector: with the threshold for showing.
        scenes: one video each.
        frames: of each scene, from the first on.
        on_progress: told after each frame how many are done.
        min_visible: what less can be seen of is ignored.
    """
    options = TrackerOptions.for_threshold(detector.conf)
    detector.lower_report_threshold(options.low_score)
    found: dict[str, MotSequence] = {}
    for k, scene_options in enumerate(scenes):
        scene, tracker = StreetScene(scene_options), ByteTracker(options)
        shown, exact = [], []
        for frame in range(frames):
            picture = scene.render(frame)
            (detected,) = detector.detect([picture])
            shown.append(tracker.update(detected.detections, float(frame / scene_options.fps), picture=picture))
            exact.append(scene.full_ground_truth(frame))
            on_progress(k * frames + frame + 1)
        truth, ignored = mot_ground_truth(exact, min_visible)
        found[f"seed {scene_options.seed}"] = MotSequence(truth, shown, ignored)
    return evaluate_sequences(found)


def evaluate_street(
    detector: ModelDetector,
    shown: Iterator[Shown],
    on_progress: Callable[[int], None] = lambda done: None,
    min_visible: float = MIN_VISIBLE,
) -> CocoAp:
    """Runs a detector over pictures of the street and evaluates what it finds as COCO does.

    Args:
        detector: with a threshold made for evaluation: low.
        shown: pictures of one size, and what is in them.
        on_progress: told after each picture how many are done.
        min_visible: what less can be seen of is ignored.

    Raises:
        UsageError: none of the detector's classes is in the scene.
    """
    categories = map_classes(detector.spec.labels, dict(enumerate(LABELS, 1)), "synthetic:street").category_ids
    records: list[ImageDetections] = []
    seen: list[StreetTruth] = []
    size = (0, 0)
    for i, (picture, truth) in enumerate(shown):
        (found,) = detector.detect([picture])
        records.append(image_detections(i, found.detections, categories, found.times))
        seen.append(truth)
        size = picture.width, picture.height
        on_progress(i + 1)
    return coco_ap(coco_ground_truth(seen, size, min_visible), CocoDetections.of(records))
