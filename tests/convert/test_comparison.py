"""Comparison of two networks' detections: what matches, what rounding explains, what is reported."""

from dataclasses import replace

import numpy as np
import pytest

from streamdet.convert.comparison import Comparison, Tolerance, compare
from streamdet.detect.postprocess import RawDetections

STRICT = Tolerance(1e-4, 1e-4, 1.0)
SIDE = 100


def detections(*rows: tuple[float, float, float, float, float, int]) -> RawDetections:
    """Returns detections from rows of left, top, right, bottom, score, class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return RawDetections(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int32))


BOXES = [(10, 10, 30, 30, 0.9, 0), (50, 50, 90, 90, 0.8, 1), (60, 5, 80, 40, 0.6, 0)]


def test_equal_detections_match():
    comparison = compare(detections(*BOXES), detections(*BOXES), SIDE, STRICT)
    assert comparison == Comparison(count=3, matched=3)
    assert comparison.within(STRICT)


def test_no_detections_match_no_detections():
    assert compare(detections(), detections(), SIDE, STRICT).within(STRICT)


@pytest.mark.parametrize(
    ("changed", "example"),
    [
        pytest.param((50, 50, 90.5, 90, 0.8, 1), "has class 1 with score 0.8000", id="box"),
        pytest.param((50, 50, 90, 90, 0.79, 1), "only the source has class 1", id="score"),
        pytest.param((50, 50, 90, 90, 0.8, 2), "has class", id="class"),
        pytest.param(
            None, "only the source has class 1 with score 0.8000 at (0.5000, 0.5000, 0.9000, 0.9000)", id="missing"
        ),
    ],
)
def test_a_difference_is_reported(changed, example):
    rows = [BOXES[0], *([changed] if changed else []), BOXES[2]]
    comparison = compare(detections(*BOXES), detections(*rows), SIDE, STRICT)
    assert not comparison.within(STRICT)
    assert example in comparison.example


def test_an_extra_detection_is_reported():
    comparison = compare(detections(*BOXES), detections(*BOXES, (0, 0, 5, 5, 0.5, 3)), SIDE, STRICT)
    assert (comparison.matched, comparison.unexplained) == (3, 1)
    assert comparison.example.startswith("only the result has class 3")
    assert not comparison.within(STRICT)


def grid_of_boxes(count: int = 100) -> list[tuple[float, float, float, float, float, int]]:
    return [(i % 10 * 10, i // 10 * 10, i % 10 * 10 + 8, i // 10 * 10 + 8, 0.9 - i / 1000, i % 3) for i in range(count)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((0, 0, 3, 3, 0.05001, 7), None, id="at the score threshold"),
        pytest.param((0, 0, 8, 4.0003, 0.5, 0), None, id="at the overlap threshold"),
        pytest.param((40, 0, 49, 8, 1.0, 7), (40.5, 0, 49, 8, 1.0, 7), id="of two with score 1 the other one"),
    ],
)
def test_differences_by_rounding_are_explained(first, second):
    one, other = [*grid_of_boxes(), first], [*grid_of_boxes(), *([second] if second else [])]
    for a, b in ((one, other), (other, one)):
        comparison = compare(detections(*a), detections(*b), SIDE, STRICT)
        assert comparison.unexplained == 0
        assert comparison.borderline == 1 + (second is not None)
        assert comparison.within(STRICT)


def test_many_differences_by_rounding_are_rejected():
    one = [*grid_of_boxes(), *((0, 0, i + 1, i + 1, 0.05001, 10 + i) for i in range(20))]
    comparison = compare(detections(*one), detections(*grid_of_boxes()), SIDE, STRICT)
    assert comparison.unexplained == 0
    assert not comparison.within(STRICT)


AT_SCORE_THRESHOLD = [(0, 0, 3, 3, 0.05001, 7), (50, 0, 53, 3, 0.05001, 8), (90, 0, 93, 3, 0.05001, 9)]


@pytest.mark.parametrize(
    ("certain", "borderline", "within"),
    [
        pytest.param(3, 1, True, id="one of few"),
        pytest.param(3, 2, True, id="two of few"),
        pytest.param(3, 3, False, id="as many as certain ones"),
        pytest.param(1, 2, False, id="more than certain ones"),
        pytest.param(0, 1, False, id="no certain ones"),
    ],
)
def test_rounding_among_few_detections(certain, borderline, within):
    """Of three detections in an image one may be at the threshold; borderline detections alone verify nothing."""
    comparison = compare(
        detections(*BOXES[:certain], *AT_SCORE_THRESHOLD[:borderline]), detections(*BOXES[:certain]), SIDE, STRICT
    )
    assert (comparison.unexplained, comparison.borderline) == (0, borderline)
    assert comparison.within(STRICT) is within


def test_the_example_is_an_unexplained_detection():
    rounding = compare(detections(*BOXES, AT_SCORE_THRESHOLD[0]), detections(*BOXES), SIDE, STRICT)
    error = compare(detections(*BOXES), detections(*BOXES[1:]), SIDE, STRICT)
    assert rounding.example
    assert (rounding + error).example == (error + rounding).example == error.example


@pytest.mark.parametrize("score", [0.4, 0.5], ids=["another score", "the same score"])
def test_one_error_does_not_explain_another(score):
    """Two overlapping boxes, one in each network: neither explains the other."""
    one, other = [*grid_of_boxes(), (40, 0, 49, 8, 0.5, 7)], [*grid_of_boxes(), (40.5, 0, 49, 8, score, 7)]
    assert compare(detections(*one), detections(*other), SIDE, STRICT).unexplained == 2


def test_a_tolerance_may_require_a_smaller_share():
    loose = replace(STRICT, share=0.9)
    comparison = compare(detections(*grid_of_boxes()), detections(*grid_of_boxes()[:85]), SIDE, loose)
    assert comparison.matched_share == pytest.approx(170 / 185)
    assert comparison.within(loose)
    assert not compare(detections(*grid_of_boxes()), detections(*grid_of_boxes()[:70]), SIDE, loose).within(loose)


def test_comparisons_add_up():
    both = Comparison(3, 3, 0, 0, 0.1, 0.2, "") + Comparison(2, 1, 1, 1, 0.3, 0.1, "x")
    assert both == Comparison(5, 4, 1, 1, 0.3, 0.2, "x")
