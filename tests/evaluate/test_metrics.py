"""The three metrics on cases small enough to compute by hand; the sums stand beside them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.evaluate.coco_ap import coco_ap
from streamdet.evaluate.coco_detections import CocoDetections
from streamdet.evaluate.ground_truth import CocoGroundTruth, read_ground_truth
from streamdet.evaluate.open_model_zoo import coco_precision, voc_map
from tests.evaluate.coco_files import CAT, CATEGORIES, DOG, ONE, TWO, found_of, truth_of

BOX, FAR, FARTHER = (0, 0, 10, 10), (200, 200, 10, 10), (400, 0, 10, 10)
HERD = (0, 0, 100, 100)
HALF = 51 / 101
"""Of 101 recalls from 0 to 1, those up to 0.5."""


def ap(truth, found):
    return coco_ap(truth, found).numbers.ap


CASES = {
    # name: objects, detections, COCO AP, coco_precision, mAP
    "right": ([(ONE, CAT, BOX)], [(ONE, CAT, 0.9, BOX)], 1, 1, 1),
    "other class": ([(ONE, CAT, BOX)], [(ONE, DOG, 0.9, BOX)], 0, 0, 0),
    "other picture": ([(ONE, CAT, BOX)], [(TWO, CAT, 0.9, BOX)], 0, 0, 0),
    # IoU 80 / 100 is enough for 0.50 to 0.80, 7 of the 10 thresholds.
    "too low": ([(ONE, CAT, BOX)], [(ONE, CAT, 0.9, (0, 0, 10, 8))], 0.7, 0.7, 1),
    # IoU 10 / 25 = 0.4 by lines, but (6 x 3) / (6 x 6) = 0.5 where both edges of a box count.
    "edges count in mAP": ([(ONE, CAT, (0, 0, 5, 5))], [(ONE, CAT, 0.9, (0, 0, 5, 2))], 0, 0, 1),
    # IoU 8 / 16 = 0.5 by lines is enough for 1 of 10 thresholds.
    "edges do not count in coco_precision": (
        [(ONE, CAT, (0, 0, 4, 4))],
        [(ONE, CAT, 0.9, (0, 0, 4, 2))],
        0.1,
        0.1,
        1,
    ),
    # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1. Read at 101 recalls: 51 times 1, 50 times 2/3. Area: 1/2 + 2/3 / 2.
    "one false between two right": (
        [(ONE, CAT, BOX), (TWO, CAT, BOX)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, FAR), (TWO, CAT, 0.7, BOX)],
        (51 + 50 * 2 / 3) / 101,
        (51 + 50 * 2 / 3) / 101,
        5 / 6,
    ),
    # The second detection of the best-scored object is wrong for COCO and VOC, right for coco_precision: recall 2/2.
    "found twice": (
        [(ONE, CAT, BOX), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, BOX)],
        HALF,
        1,
        0.5,
    ),
    # The third is wrong for all: precision 1, 1, 2/3, 3/4 at recall 1/3, 2/3, 2/3, 1 for coco_precision. For COCO 1,
    # 1/2, 1/3, 2/4 at 1/3, 1/3, 1/3, 2/3: recalls 0 to 0.33 read 1, to 0.66 read 1/2.
    "found three times": (
        [(ONE, CAT, BOX), (ONE, CAT, FAR), (ONE, CAT, FARTHER)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, BOX), (ONE, CAT, 0.7, BOX), (ONE, CAT, 0.6, FAR)],
        (34 + 33 / 2) / 101,
        (67 + 34 * 3 / 4) / 101,
        1 / 3 + 1 / 3 * 1 / 2,
    ),
    # Only the best detection of a picture is let off, not every first detection of an object.
    "another one found twice": (
        [(ONE, CAT, BOX), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, FAR), (ONE, CAT, 0.7, FAR)],
        1,
        1,
        1,
    ),
    # Of a detection inside a crowd COCO says nothing; its plain IoU of 0.01 makes it wrong for coco_precision, before
    # the right one: precision 1/2. For VOC the crowd is an object that was missed: 1/2 at recall 1/2.
    "within a crowd": (
        [(ONE, CAT, HERD, "crowd"), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.5, FAR)],
        1,
        0.5,
        0.25,
    ),
    "a crowd as a whole": (
        [(ONE, CAT, HERD, "crowd"), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, HERD), (ONE, CAT, 0.8, HERD), (ONE, CAT, 0.5, FAR)],
        1,
        1,
        (1 + 2 / 3) / 2,
    ),
    # Dogs are there and never found: 0 for COCO's metrics, left out of VOC's.
    "a class not found": ([(ONE, CAT, BOX), (ONE, DOG, FAR)], [(ONE, CAT, 0.9, BOX)], 0.5, 0.5, 1),
    # Dogs are found and not there: nothing for COCO's metrics, 0 for VOC's.
    "a class not there": ([(ONE, CAT, BOX)], [(ONE, CAT, 0.9, BOX), (ONE, DOG, 0.9, FAR)], 1, 1, 0.5),
    # Behind 20 wrong ones of its picture the right one does not count in coco_precision; else precision 1/21.
    "behind twenty": (
        [(ONE, CAT, BOX)],
        [*((ONE, CAT, 0.9, FAR) for _ in range(20)), (ONE, CAT, 0.5, BOX)],
        1 / 21,
        0,
        1 / 21,
    ),
    "behind nineteen": (
        [(ONE, CAT, BOX)],
        [*((ONE, CAT, 0.9, FAR) for _ in range(19)), (ONE, CAT, 0.5, BOX)],
        1 / 20,
        1 / 20,
        1 / 20,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name):
    objects, detections, coco, precision, voc = CASES[name]
    truth, found = truth_of(*objects), found_of(*detections)
    assert ap(truth, found) == pytest.approx(coco, abs=1e-9)
    assert coco_precision(truth, found) == pytest.approx(precision, abs=1e-9)
    assert voc_map(truth, found) == pytest.approx(voc, abs=1e-9)


def test_edges_may_be_counted_in_coco_precision():
    truth, found = truth_of((ONE, CAT, (0, 0, 4, 4))), found_of((ONE, CAT, 0.9, (0, 0, 4, 2)))
    # (5 x 3) / (5 x 5) = 0.6 is enough for 0.50, 0.55 and 0.60.
    assert coco_precision(truth, found, edge_px=1) == pytest.approx(0.3)


def test_nothing_detected():
    truth, found = truth_of((ONE, CAT, BOX)), found_of()
    coco = coco_ap(truth, found)
    assert (coco.numbers.ap, coco.numbers.ar100, coco.numbers.ap_large) == (0, 0, -1)
    assert coco_precision(truth, found) == 0
    assert math.isnan(voc_map(truth, found))


def test_nothing_but_crowds():
    truth, found = truth_of((ONE, CAT, HERD, "crowd")), found_of((ONE, CAT, 0.9, HERD))
    assert ap(truth, found) == -1
    assert math.isnan(coco_precision(truth, found))


def test_detections_of_another_category_or_picture_do_not_count():
    truth = truth_of((ONE, CAT, BOX))
    found = found_of((ONE, CAT, 0.5, BOX), (ONE, 99, 0.9, BOX), (77, CAT, 0.9, BOX))
    for metric in (ap, coco_precision, voc_map):
        assert metric(truth.only([ONE]), found) == pytest.approx(1)


def test_classes_are_counted():
    truth = truth_of((ONE, CAT, BOX), (TWO, CAT, BOX), (ONE, CAT, HERD, "crowd"))
    cat, dog = coco_ap(truth, found_of((ONE, CAT, 0.9, BOX), (TWO, DOG, 0.9, BOX))).classes
    assert (cat.name, cat.objects, cat.detections) == ("cat", 2, 1)
    assert (cat.ap, cat.ap50, cat.ap75) == pytest.approx((HALF, HALF, HALF))
    assert (dog.objects, dog.detections) == (0, 1)
    assert math.isnan(dog.ap)


def perfect(truth: CocoGroundTruth) -> CocoDetections:
    scores = np.linspace(1, 0.1, len(truth))
    return CocoDetections(truth.image_ids, truth.category_ids, scores, truth.boxes_xywh)


sides = st.integers(1, 60)
objects = st.tuples(
    st.sampled_from([ONE, TWO]), st.sampled_from(list(CATEGORIES)), st.tuples(sides, sides, sides, sides)
)


@given(st.lists(objects, min_size=1, max_size=20, unique=True))
def test_a_perfect_detector_gets_everything(rows):
    truth = truth_of(*rows)
    found = perfect(truth)
    assert ap(truth, found) == pytest.approx(1)
    assert coco_precision(truth, found) == pytest.approx(1)
    assert voc_map(truth, found) == pytest.approx(1)


def test_a_perfect_detector_of_photos_gets_everything(data_dir):
    truth = read_ground_truth(data_dir / "images" / "instances.json")
    found = perfect(truth)
    assert ap(truth, found) == pytest.approx(1)
    assert coco_precision(truth, found) == pytest.approx(1)
    assert voc_map(truth, found) == pytest.approx(1)


@given(st.lists(st.tuples(objects, st.booleans()), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_metrics_do_not_depend_on_the_order_of_rows(rows, random):
    made = [(*row, "crowd") if crowd else row for row, crowd in rows]
    detections = [(row[0], row[1], (i + 1) / 20, row[2]) for i, row in enumerate(made)]
    before = truth_of(*made), found_of(*detections)
    random.shuffle(made)
    random.shuffle(detections)
    after = truth_of(*made), found_of(*detections)
    for metric in (ap, coco_precision, voc_map):
        assert metric(*after) == pytest.approx(metric(*before), nan_ok=True)
