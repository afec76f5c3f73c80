"""The three metrics on cases computed by hand; comments show the arithmetic."""

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
    "other image": ([(ONE, CAT, BOX)], [(TWO, CAT, 0.9, BOX)], 0, 0, 0),
    # IoU 80 / 100 reaches 0.50 to 0.80, 7 of the 10 thresholds.
    "too low": ([(ONE, CAT, BOX)], [(ONE, CAT, 0.9, (0, 0, 10, 8))], 0.7, 0.7, 1),
    # IoU 10 / 25 = 0.4 of plain sizes, but (6 x 3) / (6 x 6) = 0.5 with both edge pixels included.
    "edges count in mAP": ([(ONE, CAT, (0, 0, 5, 5))], [(ONE, CAT, 0.9, (0, 0, 5, 2))], 0, 0, 1),
    # IoU 8 / 16 = 0.5 of plain sizes reaches 1 of 10 thresholds.
    "edges do not count in coco_precision": (
        [(ONE, CAT, (0, 0, 4, 4))],
        [(ONE, CAT, 0.9, (0, 0, 4, 2))],
        0.1,
        0.1,
        1,
    ),
    # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1. Sampled at 101 recalls: 51 times 1, 50 times 2/3. Area: 1/2 + 2/3 /
    # 2.
    "a false positive between two true ones": (
        [(ONE, CAT, BOX), (TWO, CAT, BOX)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, FAR), (TWO, CAT, 0.7, BOX)],
        (51 + 50 * 2 / 3) / 101,
        (51 + 50 * 2 / 3) / 101,
        5 / 6,
    ),
    # The second detection of the object with the best score is a false positive for COCO and VOC, a true one for
    # coco_precision: recall 2/2.
    "detected twice": (
        [(ONE, CAT, BOX), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, BOX)],
        HALF,
        1,
        0.5,
    ),
    # The third is a false positive for all: precision 1, 1, 2/3, 3/4 at recall 1/3, 2/3, 2/3, 1 for coco_precision. For
    # COCO 1, 1/2, 1/3, 2/4 at 1/3, 1/3, 1/3, 2/3: recalls 0 to 0.33 sample 1, to 0.66 sample 1/2.
    "detected three times": (
        [(ONE, CAT, BOX), (ONE, CAT, FAR), (ONE, CAT, FARTHER)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, BOX), (ONE, CAT, 0.7, BOX), (ONE, CAT, 0.6, FAR)],
        (34 + 33 / 2) / 101,
        (67 + 34 * 3 / 4) / 101,
        1 / 3 + 1 / 3 * 1 / 2,
    ),
    # Only the best detection of an image leaves its object free, not the first detection of every object.
    "another object detected twice": (
        [(ONE, CAT, BOX), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.8, FAR), (ONE, CAT, 0.7, FAR)],
        1,
        1,
        1,
    ),
    # COCO ignores a detection inside a crowd. Its plain IoU of 0.01 makes it a false positive for coco_precision,
    # before the true positive: precision 1/2. For VOC the crowd is a missed object: 1/2 at recall 1/2.
    "inside a crowd": (
        [(ONE, CAT, HERD, "crowd"), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, BOX), (ONE, CAT, 0.5, FAR)],
        1,
        0.5,
        0.25,
    ),
    "a complete crowd": (
        [(ONE, CAT, HERD, "crowd"), (ONE, CAT, FAR)],
        [(ONE, CAT, 0.9, HERD), (ONE, CAT, 0.8, HERD), (ONE, CAT, 0.5, FAR)],
        1,
        1,
        (1 + 2 / 3) / 2,
    ),
    # A dog is missed: 0 for COCO's metrics, left out of VOC's.
    "a class without detections": ([(ONE, CAT, BOX), (ONE, DOG, FAR)], [(ONE, CAT, 0.9, BOX)], 0.5, 0.5, 1),
    # A dog is detected but not there: left out of COCO's metrics, 0 for VOC's.
    "a class without objects": ([(ONE, CAT, BOX)], [(ONE, CAT, 0.9, BOX), (ONE, DOG, 0.9, FAR)], 1, 1, 0.5),
    # After 20 false positives of its image the true positive does not count in coco_precision; else precision 1/21.
    "after twenty false positives": (
        [(ONE, CAT, BOX)],
        [*((ONE, CAT, 0.9, FAR) for _ in range(20)), (ONE, CAT, 0.5, BOX)],
        1 / 21,
        0,
        1 / 21,
    ),
    "after nineteen false positives": (
        [(ONE, CAT, BOX)],
        [*((ONE, CAT, 0.9, FAR) for _ in range(19)), (ONE, CAT, 0.5, BOX)],
        1 / 20,
        1 / 20,
        1 / 20,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_metrics_equal_those_by_hand(name):
    objects, detections, coco, precision, voc = CASES[name]
    truth, found = truth_of(*objects), found_of(*detections)
    assert ap(truth, found) == pytest.approx(coco, abs=1e-9)
    assert coco_precision(truth, found) == pytest.approx(precision, abs=1e-9)
    assert voc_map(truth, found) == pytest.approx(voc, abs=1e-9)


def test_edges_may_be_included_in_coco_precision():
    truth, found = truth_of((ONE, CAT, (0, 0, 4, 4))), found_of((ONE, CAT, 0.9, (0, 0, 4, 2)))
    # (5 x 3) / (5 x 5) = 0.6 reaches 0.50, 0.55 and 0.60.
    assert coco_precision(truth, found, edge_px=1) == pytest.approx(0.3)


def test_no_detections():
    truth, found = truth_of((ONE, CAT, BOX)), found_of()
    coco = coco_ap(truth, found)
    assert (coco.numbers.ap, coco.numbers.ar100, coco.numbers.ap_large) == (0, 0, -1)
    assert coco_precision(truth, found) == 0
    assert math.isnan(voc_map(truth, found))


def test_crowds_only():
    truth, found = truth_of((ONE, CAT, HERD, "crowd")), found_of((ONE, CAT, 0.9, HERD))
    assert ap(truth, found) == -1
    assert math.isnan(coco_precision(truth, found))


def test_detections_of_another_category_or_image_do_not_count():
    truth = truth_of((ONE, CAT, BOX))
    found = found_of((ONE, CAT, 0.5, BOX), (ONE, 99, 0.9, BOX), (77, CAT, 0.9, BOX))
    for metric in (ap, coco_precision, voc_map):
        assert metric(truth.only([ONE]), found) == pytest.approx(1)


def test_objects_and_detections_are_counted_per_class():
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
def test_a_perfect_detector_has_full_metrics(rows):
    truth = truth_of(*rows)
    found = perfect(truth)
    assert ap(truth, found) == pytest.approx(1)
    assert coco_precision(truth, found) == pytest.approx(1)
    assert voc_map(truth, found) == pytest.approx(1)


def test_a_perfect_detector_of_photos_has_full_metrics(data_dir):
    truth = read_ground_truth(data_dir / "images" / "instances.json")
    found = perfect(truth)
    assert ap(truth, found) == pytest.approx(1)
    assert coco_precision(truth, found) == pytest.approx(1)
    assert voc_map(truth, found) == pytest.approx(1)


@given(st.lists(st.tuples(objects, st.booleans()), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_metrics_do_not_depend_on_the_order_of_rows(rows, random):
    marked = [(*row, "crowd") if crowd else row for row, crowd in rows]
    detections = [(row[0], row[1], (i + 1) / 20, row[2]) for i, row in enumerate(marked)]
    expected = truth_of(*marked), found_of(*detections)
    random.shuffle(marked)
    random.shuffle(detections)
    shuffled = truth_of(*marked), found_of(*detections)
    for metric in (ap, coco_precision, voc_map):
        assert metric(*shuffled) == pytest.approx(metric(*expected), nan_ok=True)
