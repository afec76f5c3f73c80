"""Agreement of two models' detections."""

import numpy as np
import pytest

from streamdet.detect.postprocess import RawDetections
from streamdet.quantize.agreement import agreement, agreement_with_uncertainty, weighted_dice


def detections(*rows):
    """Returns detections from rows of left, top, right, bottom, score, class."""
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    return RawDetections(boxes, np.array([r[4] for r in rows], np.float32), np.array([r[5] for r in rows], np.int32))


ONE, OTHER = (0, 0, 10, 10, 0.9, 0), (20, 20, 40, 40, 0.6, 1)


def test_agreement_is_one_for_equal_and_for_no_detections():
    equal = [detections(ONE, OTHER), detections()]
    assert agreement(equal, equal) == 1
    assert weighted_dice(equal, equal) == pytest.approx(1)
    assert agreement([detections()], [detections()]) == weighted_dice([detections()], [detections()]) == 1


@pytest.mark.parametrize(
    ("name", "candidate", "expected"),
    [
        ("no detections", [], 0),
        ("the high score only", [ONE], 0.81 / (0.81 + 0.36)),
        ("another class", [ONE, (20, 20, 40, 40, 0.6, 2)], 0.81 / (0.81 + 0.36)),
        ("another place", [ONE, (50, 50, 60, 60, 0.6, 1)], 0.81 / (0.81 + 0.36)),
        ("lower scores, in the same order", [(0, 0, 10, 10, 0.5, 0), (20, 20, 40, 40, 0.3, 1)], 1),
        ("a false positive of lower score", [ONE, OTHER, (70, 70, 90, 90, 0.5, 0)], 1),
        ("detected twice", [ONE, ONE, OTHER], (0.81 + 0.36 * (0.81 + 0.36) / (2 * 0.81 + 0.36)) / (0.81 + 0.36)),
    ],
)
def test_agreement_equals_that_by_hand(name, candidate, expected):
    assert agreement([detections(ONE, OTHER)], [detections(*candidate)]) == pytest.approx(expected, abs=1e-6)


def test_weighted_dice_decreases_where_agreement_does_not():
    reference = [detections(ONE)]
    moved = [detections((0.5, 0, 10.5, 10, 0.85, 0))]
    assert agreement(reference, moved) == 1
    assert weighted_dice(reference, moved) == pytest.approx(2 * 0.85 * (95 / 105) / 1.75, abs=1e-5)


def test_uncertainty_is_the_standard_error_over_images():
    good, bad = (detections(ONE), detections(ONE)), (detections(ONE), detections())
    assert agreement_with_uncertainty(*zip(good, good, good, strict=True)).uncertainty == 0
    mixed = agreement_with_uncertainty(*zip(*[good, bad] * 8, strict=True))
    assert mixed.value == pytest.approx(0.5)
    assert mixed.uncertainty == pytest.approx(0.5 / np.sqrt(15), rel=1e-3)
