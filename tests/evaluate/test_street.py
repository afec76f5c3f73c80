"""Evaluation on `synthetic:street`, whose ground truth is exact."""

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
def annotated():
    return list(pictures((3, 4), (0, 60), OPTIONS))


@dataclass
class Oracle:
    """Detects the ground truth with a minimum visible share; boxes may be shifted, and a false positive added."""

    annotated: list
    labels: tuple = LABELS
    shift_px: float = 0.0
    min_visible: float = 0.02
    false_positive: bool = False

    @property
    def spec(self):
        return SimpleNamespace(labels=self.labels)

    def detect(self, pictures):
        (picture,) = pictures
        (truth,) = (truth for known, truth in self.annotated if known is picture)
        visible = truth.visible >= self.min_visible
        boxes = truth.boxes_xyxy[visible] + np.float32(self.shift_px)
        class_ids = np.array([self.labels.index(LABELS[k]) for k in truth.class_ids[visible]], np.int32)
        scores = np.full(len(boxes), 0.8, np.float32)
        if self.false_positive:
            boxes = np.concatenate([np.array([[1, 1, 9, 9]], np.float32), boxes])
            class_ids, scores = np.append(class_ids[:1], class_ids), np.append(np.float32([0.9]), scores)
        detections = Detections(boxes, scores, class_ids, labels=self.labels)
        return [SimpleNamespace(detections=detections, times=StageTimes(0, 0, 0))]


def ap_of(annotated, **oracle):
    return evaluate_street(Oracle(annotated, **oracle), iter(annotated)).numbers


def test_a_perfect_detector_has_full_metrics(annotated):
    progress = []
    numbers = evaluate_street(Oracle(annotated), iter(annotated), progress.append).numbers
    assert (numbers.ap, numbers.ap50) == (pytest.approx(1), pytest.approx(1))
    assert progress == [1, 2, 3, 4]


def test_classes_are_matched_by_name_not_number(annotated):
    assert ap_of(annotated, labels=("car", "tree", "person", "cyclist")).ap == pytest.approx(1)


def test_shifted_boxes_and_false_positives_lower_ap(annotated):
    shifted = ap_of(annotated, shift_px=2)
    assert 0.2 < shifted.ap < 0.97
    assert ap_of(annotated, false_positive=True).ap < 0.99


def test_hardly_visible_objects_may_be_missed_or_detected(annotated):
    hardly_visible = sum(int(((t.visible > 0) & (t.visible < MIN_VISIBLE)).sum()) for _, t in annotated)
    assert hardly_visible > 0, "choose other scenes"
    assert ap_of(annotated, min_visible=MIN_VISIBLE).ap == pytest.approx(1)
    assert (
        evaluate_street(Oracle(annotated, min_visible=MIN_VISIBLE), iter(annotated), min_visible=1e-6).numbers.ap < 0.99
    )


def test_a_detector_of_other_classes_is_an_error(annotated):
    with pytest.raises(UsageError, match="synthetic:street"):
        evaluate_street(Oracle(annotated, labels=("elk",)), iter(annotated))


def test_ground_truth_in_cocos_terms():
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


def test_a_set_yields_the_frames_of_its_scenes():
    some = StreetSet((5, 6), (0, 30), replace(OPTIONS, width=320, height=180))
    assert str(some) == "4 pictures of 2 scenes (seeds 5 to 6), 320x180"
    pictures = [picture for picture, _ in some.pictures()]
    assert [(p.width, p.height) for p in pictures] == [(320, 180)] * 4
    assert len({p.bgr().tobytes() for p in pictures}) == 4
    again = next(iter(some.pictures()))[0]
    np.testing.assert_array_equal(again.bgr(), pictures[0].bgr())


def test_the_test_set_shares_no_scene_with_training():
    assert max(HELD_OUT.seeds) < FIRST_TRAINING_SEED
    assert StreetOptions().seed < FIRST_TRAINING_SEED
    assert len(set(HELD_OUT.seeds)) == len(HELD_OUT.seeds) == 60


def test_the_demo_detector_on_unseen_streets():
    """Uses a few pictures of the test set; the limit is far below the result on all of them."""
    some = StreetSet(HELD_OUT.seeds[:4], HELD_OUT.frames[:2])
    with load_detector("ssd-demo", DetectorOptions(conf=0.01, max_detections=100)) as detector:
        numbers = evaluate_street(detector, some.pictures()).numbers
    assert numbers.ap50 > 0.6
