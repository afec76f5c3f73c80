"""Evaluates a detector and the tracker on `synthetic:street`, whose ground truth is exact."""

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
"""Minimum visible share of an object that counts. Others may be missed and may be detected, like COCO's crowds.
Pedestrian tracking benchmarks use this share (MOT16, Milan et al. 2016)."""

FIRST_TRAINING_SEED = 1 << 20
"""The demo detector was trained on scenes with seeds from this one up, and on no others."""

AnnotatedPicture = tuple[Picture, StreetTruth]


@dataclass(frozen=True, slots=True)
class StreetSet:
    """A set of pictures for an evaluation.

    Attributes:
        seeds: one scene each.
        frames: frame numbers of each scene.
        options: of all scenes; its seed is not used.
    """

    seeds: tuple[int, ...]
    frames: tuple[int, ...]
    options: StreetOptions = field(default_factory=StreetOptions)

    def __str__(self) -> str:
        options = self.options
        scenes = f"{len(self.seeds)} scenes (seeds {self.seeds[0]} to {self.seeds[-1]})"
        return f"{len(self.seeds) * len(self.frames)} pictures of {scenes}, {options.width}x{options.height}"

    def pictures(self) -> Iterator[AnnotatedPicture]:
        """Yields its pictures with ground truth."""
        return pictures(self.seeds, self.frames, self.options)


def pictures(
    seeds: Sequence[int], frames: Sequence[int], options: StreetOptions | None = None
) -> Iterator[AnnotatedPicture]:
    """Yields pictures of scenes with ground truth.

    Args:
        seeds: one scene each.
        frames: frame numbers of each scene.
        options: of all scenes; its seed is not used.
    """
    options = options or StreetOptions()
    for seed in seeds:
        scene = StreetScene(replace(options, seed=seed))
        for frame in frames:
            yield scene.render(frame), scene.full_ground_truth(frame)


HELD_OUT = StreetSet(tuple(range(1, 61)), (0, 75, 150, 225))
"""The test set of the demo detector: scenes of `synthetic:street` that it was not trained on."""


def coco_ground_truth(
    annotated: Sequence[StreetTruth], size: tuple[int, int], min_visible: float = MIN_VISIBLE
) -> CocoGroundTruth:
    """Returns the ground truth of pictures in COCO's terms; categories are numbered from 1, pictures from 0."""
    boxes = [truth.boxes_xyxy.astype(np.float64) for truth in annotated]
    corners = np.concatenate([*boxes, np.empty((0, 4))])
    sides = corners[:, 2:] - corners[:, :2]
    visible = np.concatenate([*(truth.visible for truth in annotated), np.empty(0, np.float32)])
    shown = visible > 0
    truth = CocoGroundTruth(
        name="synthetic:street",
        sha256="",
        images=tuple(AnnotatedImage(i, f"{i}", *size) for i in range(len(annotated))),
        categories={number: label for number, label in enumerate(LABELS, 1)},
        image_ids=np.repeat(np.arange(len(annotated)), [len(part) for part in boxes])[shown],
        category_ids=np.concatenate([*(t.class_ids.astype(np.int64) for t in annotated), np.empty(0, np.int64)])[shown]
        + 1,
        boxes_xywh=np.concatenate([corners[:, :2], sides], axis=1)[shown],
        areas=sides.prod(axis=1)[shown],
        crowd=visible[shown] < min_visible,
    )
    return truth


def mot_ground_truth(
    exact: Sequence[StreetTruth], min_visible: float = MIN_VISIBLE
) -> tuple[list[Detections], list[NDArray[np.bool_]]]:
    """Returns the objects of each frame with identities, and which of them may be missed: see `MIN_VISIBLE`."""
    return [truth.detections(min_visible=0.0) for truth in exact], [truth.visible < min_visible for truth in exact]


def track_street(
    detector: ModelDetector,
    scenes: Sequence[StreetOptions],
    frames: int,
    on_progress: Callable[[int], None] = lambda done: None,
    min_visible: float = MIN_VISIBLE,
) -> MotResult:
    """Runs a detector and the tracker on every frame of scenes, and compares the tracks with ground truth.

    Args:
        detector: with its threshold for display.
        scenes: one video each.
        frames: number of frames of each scene.
        on_progress: called after each frame with the number done.
        min_visible: minimum visible share of an object that counts.
    """
    options = TrackerOptions.for_threshold(detector.conf)
    detector.lower_report_threshold(options.low_score)
    sequences: dict[str, MotSequence] = {}
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
        sequences[f"seed {scene_options.seed}"] = MotSequence(truth, shown, ignored)
    return evaluate_sequences(sequences)


def evaluate_street(
    detector: ModelDetector,
    samples: Iterator[AnnotatedPicture],
    on_progress: Callable[[int], None] = lambda done: None,
    min_visible: float = MIN_VISIBLE,
) -> CocoAp:
    """Runs a detector on pictures of the street and evaluates its detections as COCO does.

    Args:
        detector: with a low threshold, for evaluation.
        samples: pictures of one size with ground truth.
        on_progress: called after each picture with the number done.
        min_visible: minimum visible share of an object that counts.

    Raises:
        UsageError: none of the detector's classes is in the scene.
    """
    categories = map_classes(detector.spec.labels, dict(enumerate(LABELS, 1)), "synthetic:street").category_ids
    records: list[ImageDetections] = []
    annotated: list[StreetTruth] = []
    size = (0, 0)
    for i, (picture, truth) in enumerate(samples):
        (found,) = detector.detect([picture])
        records.append(image_detections(i, found.detections, categories, found.times))
        annotated.append(truth)
        size = picture.width, picture.height
        on_progress(i + 1)
    return coco_ap(coco_ground_truth(annotated, size, min_visible), CocoDetections.of(records))
