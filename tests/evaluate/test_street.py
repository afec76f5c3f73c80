"""Measuring with `synthetic:street`, whose truth is exact."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from streamdet.errors import UsageError
from streamdet.evaluate.street import (
    FIRST_TRAINING_SEED,
    HELD_OUT,
    MIN_VISIBLE,
    StreetSet,
    coco_ground_truth,
    evaluate_street,
    pictures,
)
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.scene import StreetTruth
from streamdet.scenes.street.trajectories import LABELS
from streamdet.types import Detections, StageTimes

OPTIONS = StreetOptions(width=640, height=360, objects=8)


@pytest.fixture(scope="module")
def shown():
    return list(pictures((3, 4), (0, 60), OPTIONS))


@dataclass
class Oracle:
    """A detector that looks the truth up: what can be seen to some share, with boxes moved by some pixels."""

    shown: list
    labels: tuple = LABELS
    moved_px: float = 0.0
    min_visible: float = 0.02
    invented: bool = False

    @property
    def spec(self):
        return SimpleNamespace(labels=self.labels)

    def detect(self, pictures):
        (picture,) = pictures
        (truth,) = (truth for known, truth in self.shown if known is picture)
        seen = truth.visible >= self.min_visible
        boxes = truth.boxes_xyxy[seen] + np.float32(self.moved_px)
        class_ids = np.array([self.labels.index(LABELS[k]) for k in truth.class_ids[seen]], np.int32)
        scores = np.full(len(boxes), 0.8, np.float32)
        if self.invented:
            boxes = np.concatenate([np.array([[1, 1, 9, 9]], np.float32), boxes])
            class_ids, scores = np.append(class_ids[:1], class_ids), np.append(np.float32([0.9]), scores)
        detections = Detections(boxes, scores, class_ids, labels=self.labels)
        return [SimpleNamespace(detections=detections, times=StageTimes(0, 0, 0))]


def ap_of(shown, **oracle):
    return evaluate_street(Oracle(shown, **oracle), iter(shown)).numbers


def test_whoever_knows_everything_has_all_the_points(shown):
    told = []
    numbers = evaluate_street(Oracle(shown), iter(shown), told.append).numbers
    assert (numbers.ap, numbers.ap50) == (pytest.approx(1), pytest.approx(1))
    assert told == [1, 2, 3, 4]


def test_names_count_not_numbers(shown):
    assert ap_of(shown, labels=("car", "tree", "person", "cyclist")).ap == pytest.approx(1)


def test_less_exact_boxes_and_invented_ones_cost_points(shown):
    moved = ap_of(shown, moved_px=2)
    assert 0.2 < moved.ap < 0.97
    assert ap_of(shown, invented=True).ap < 0.99


def test_what_hardly_shows_need_not_be_found_and_may_be(shown):
    hardly = sum(int(((t.visible > 0) & (t.visible < MIN_VISIBLE)).sum()) for _, t in shown)
    assert hardly > 0, "choose other scenes"
    assert ap_of(shown, min_visible=MIN_VISIBLE).ap == pytest.approx(1)
    assert evaluate_street(Oracle(shown, min_visible=MIN_VISIBLE), iter(shown), min_visible=1e-6).numbers.ap < 0.99


def test_a_detector_of_something_else(shown):
    with pytest.raises(UsageError, match="synthetic:street"):
        evaluate_street(Oracle(shown, labels=("elk",)), iter(shown))


def test_truth_in_cocos_terms():
    boxes = np.array([[10, 20, 40, 80], [0, 0, 5, 5], [50, 50, 60, 90]], np.float32)
    numbers = np.arange(3)
    truth = StreetTruth(boxes, boxes, np.array([1, 0, 0.2], np.float32), numbers.astype(np.int32), numbers)
    empty = StreetTruth(boxes[:0], boxes[:0], np.empty(0, np.float32), np.empty(0, np.int32), numbers[:0])
    coco = coco_ground_truth([empty, truth], (100, 90))
    assert [(image.id, image.width, image.height) for image in coco.images] == [(0, 100, 90), (1, 100, 90)]
    assert coco.categories == {1: "person", 2: "cyclist", 3: "car"}
    assert coco.boxes_xywh.tolist() == [[10, 20, 30, 60], [50, 50, 10, 40]]
    assert (coco.image_ids.tolist(), coco.category_ids.tolist()) == ([1, 1], [1, 3])
    assert (coco.areas.tolist(), coco.crowd.tolist()) == ([1800, 400], [False, True])
    assert len(coco_ground_truth([], (0, 0))) == len(coco_ground_truth([empty], (9, 9))) == 0


def test_a_set_shows_its_scenes_frame_by_frame():
    some = StreetSet((5, 6), (0, 30), replace(OPTIONS, width=320, height=180))
    assert str(some) == "4 pictures of 2 scenes (seeds 5 to 6), 320x180"
    pictures = [picture for picture, _ in some.pictures()]
    assert [(p.width, p.height) for p in pictures] == [(320, 180)] * 4
    assert len({p.bgr().tobytes() for p in pictures}) == 4
    again = next(iter(some.pictures()))[0]
    np.testing.assert_array_equal(again.bgr(), pictures[0].bgr())


def test_nothing_to_measure_with_was_learned_from():
    assert max(HELD_OUT.seeds) < FIRST_TRAINING_SEED
    assert StreetOptions().seed < FIRST_TRAINING_SEED
    assert len(set(HELD_OUT.seeds)) == len(HELD_OUT.seeds) == 60


def test_the_demo_detector_finds_most_on_streets_it_has_never_seen():
    """A few of the pictures that it is measured with; the floor is far below what it reaches on all of them."""
    some = StreetSet(HELD_OUT.seeds[:4], HELD_OUT.frames[:2])
    with load_detector("ssd-demo", DetectorOptions(conf=0.01, max_detections=100)) as detector:
        numbers = evaluate_street(detector, some.pictures()).numbers
    assert numbers.ap50 > 0.6
