"""Whether two networks find the same: what counts as the same, what a rounding explains, what is told."""

from dataclasses import replace

import numpy as np
import pytest

from streamdet.convert.comparison import Comparison, Tolerance, compare
from streamdet.detect.postprocess import RawDetections

STRICT = Tolerance(1e-4, 1e-4, 1.0)
SIDE = 100


def found(*rows: tuple[float, float, float, float, float, int]) -> RawDetections:
    """Rows of left, top, right, bottom, score, class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return RawDetections(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int32))


BOXES = [(10, 10, 30, 30, 0.9, 0), (50, 50, 90, 90, 0.8, 1), (60, 5, 80, 40, 0.6, 0)]


def test_the_same():
    agreement = compare(found(*BOXES), found(*BOXES), SIDE, STRICT)
    assert agreement == Comparison(count=3, matched=3)
    assert agreement.within(STRICT)


def test_nothing_is_the_same_as_nothing():
    assert compare(found(), found(), SIDE, STRICT).within(STRICT)


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        pytest.param((50, 50, 90.5, 90, 0.8, 1), "has class 1 with score 0.8000", id="box"),
        pytest.param((50, 50, 90, 90, 0.79, 1), "only the source has class 1", id="score"),
        pytest.param((50, 50, 90, 90, 0.8, 2), "has class", id="class"),
        pytest.param(
            None, "only the source has class 1 with score 0.8000 at (0.5000, 0.5000, 0.9000, 0.9000)", id="gone"
        ),
    ],
)
def test_a_difference_is_told(changed, first):
    rows = [BOXES[0], *([changed] if changed else []), BOXES[2]]
    agreement = compare(found(*BOXES), found(*rows), SIDE, STRICT)
    assert not agreement.within(STRICT)
    assert first in agreement.first


def test_one_too_many_is_told():
    agreement = compare(found(*BOXES), found(*BOXES, (0, 0, 5, 5, 0.5, 3)), SIDE, STRICT)
    assert (agreement.matched, agreement.unexplained) == (3, 1)
    assert agreement.first.startswith("only the result has class 3")
    assert not agreement.within(STRICT)


def many(count: int = 100) -> list[tuple[float, float, float, float, float, int]]:
    return [(i % 10 * 10, i // 10 * 10, i % 10 * 10 + 8, i // 10 * 10 + 8, 0.9 - i / 1000, i % 3) for i in range(count)]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        pytest.param((0, 0, 3, 3, 0.05001, 7), None, id="at the threshold"),
        pytest.param((0, 0, 8, 4.0003, 0.5, 0), None, id="at the limit of overlap"),
        pytest.param((40, 0, 49, 8, 1.0, 7), (40.5, 0, 49, 8, 1.0, 7), id="of two that are sure the other one"),
    ],
)
def test_what_a_rounding_decides_is_explained(mine, theirs):
    one, other = [*many(), mine], [*many(), *([theirs] if theirs else [])]
    for a, b in ((one, other), (other, one)):
        agreement = compare(found(*a), found(*b), SIDE, STRICT)
        assert agreement.unexplained == 0
        assert agreement.borderline == 1 + (theirs is not None)
        assert agreement.within(STRICT)


def test_many_roundings_are_something_else():
    one = [*many(), *((0, 0, i + 1, i + 1, 0.05001, 10 + i) for i in range(20))]
    agreement = compare(found(*one), found(*many()), SIDE, STRICT)
    assert agreement.unexplained == 0
    assert not agreement.within(STRICT)


AT_THE_THRESHOLD = [(0, 0, 3, 3, 0.05001, 7), (50, 0, 53, 3, 0.05001, 8), (90, 0, 93, 3, 0.05001, 9)]


@pytest.mark.parametrize(
    ("sure", "borderline", "within"),
    [
        pytest.param(3, 1, True, id="one of few"),
        pytest.param(3, 2, True, id="two of few"),
        pytest.param(3, 3, False, id="as many as are sure"),
        pytest.param(1, 2, False, id="more than are sure"),
        pytest.param(0, 1, False, id="nothing else"),
    ],
)
def test_a_rounding_among_few(sure, borderline, within):
    """A picture with three detections may have one at the threshold; nothing but roundings proves nothing."""
    agreement = compare(found(*BOXES[:sure], *AT_THE_THRESHOLD[:borderline]), found(*BOXES[:sure]), SIDE, STRICT)
    assert (agreement.unexplained, agreement.borderline) == (0, borderline)
    assert agreement.within(STRICT) is within


def test_what_nothing_explains_is_told_first():
    rounding = compare(found(*BOXES, AT_THE_THRESHOLD[0]), found(*BOXES), SIDE, STRICT)
    error = compare(found(*BOXES), found(*BOXES[1:]), SIDE, STRICT)
    assert rounding.first
    assert (rounding + error).first == (error + rounding).first == error.first


@pytest.mark.parametrize("score", [0.4, 0.5], ids=["another score", "the same score"])
def test_one_error_does_not_excuse_another(score):
    """Two boxes that overlap, one in each: neither explains the other."""
    one, other = [*many(), (40, 0, 49, 8, 0.5, 7)], [*many(), (40.5, 0, 49, 8, score, 7)]
    assert compare(found(*one), found(*other), SIDE, STRICT).unexplained == 2


def test_a_share_may_differ_where_that_is_allowed():
    loose = replace(STRICT, share=0.9)
    agreement = compare(found(*many()), found(*many()[:85]), SIDE, loose)
    assert agreement.share == pytest.approx(170 / 185)
    assert agreement.within(loose)
    assert not compare(found(*many()), found(*many()[:70]), SIDE, loose).within(loose)


def test_sums():
    both = Comparison(3, 3, 0, 0, 0.1, 0.2, "") + Comparison(2, 1, 1, 1, 0.3, 0.1, "x")
    assert both == Comparison(5, 4, 1, 1, 0.3, 0.2, "x")
