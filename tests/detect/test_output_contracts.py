"""Decoders of raw outputs: kernels against their numpy references, including values of broken networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamdet.detect.candidates import FAR_PX, Candidates
from streamdet.detect.decode_grid import (
    fastestdet_candidates,
    fastestdet_candidates_reference,
    yolox_candidates,
    yolox_candidates_reference,
    yolox_grid,
)
from streamdet.detect.decode_ssd import ssd_candidates, ssd_candidates_reference
from streamdet.detect.postprocess import PostprocessRules, apply_nms, select_detections

BROKEN = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, 0.0, -0.0]
logits = st.one_of(st.floats(-12, 12, width=32), st.sampled_from(BROKEN))
shares = st.one_of(st.floats(0, 1, width=32), st.sampled_from([*BROKEN, 1.0, -1.0, 1.0000001]))
thresholds = st.sampled_from([0.0, 0.01, 0.3, 0.9])
seeds = st.integers(0, 2**32 - 1)


def assert_same(ours: Candidates, theirs: Candidates, threshold: float) -> None:
    """Checks for the same candidates in any order, except those within rounding of the threshold."""
    sure = {}
    for name, found in (("ours", ours), ("theirs", theirs)):
        order = np.lexsort((found.class_ids, found.box_ids))
        clear = order[found.scores[order] > threshold + 1e-5]
        sure[name] = (found.boxes_xyxy[found.box_ids[clear]], found.scores[clear], found.class_ids[clear])
        assert (found.scores > threshold - 1e-5).all()
        assert (found.scores <= 1).all()
        assert (np.abs(found.boxes_xyxy) <= FAR_PX).all()
    np.testing.assert_array_equal(sure["ours"][2], sure["theirs"][2])
    np.testing.assert_allclose(sure["ours"][1], sure["theirs"][1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sure["ours"][0], sure["theirs"][0], rtol=1e-4, atol=0.02)


def mix(values: np.ndarray, data: st.DataObject, elements: st.SearchStrategy) -> np.ndarray:
    """Returns ordinary values with a few that hypothesis chooses, so that examples stay small."""
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, values.size - 1), elements), max_size=8)):
        values.flat[place] = value
    return values


@given(data=st.data(), seed=seeds, threshold=thresholds, boxes=st.sampled_from([1, 40, 513]))
def test_ssd_kernel_equals_reference(data, seed, threshold, boxes):
    classes = 6
    random = np.random.default_rng(seed)
    loc = mix(random.standard_normal((4, boxes), dtype=np.float32), data, logits)
    conf = mix(3 * random.standard_normal((classes + 1, boxes), dtype=np.float32), data, logits)
    priors = random.random((boxes, 4), dtype=np.float32)
    wanted = data.draw(hnp.arrays(np.bool_, classes))
    arguments = loc, conf, priors, wanted, threshold, 320, 200
    assert_same(ssd_candidates(*arguments), ssd_candidates_reference(*arguments), threshold)


@given(data=st.data(), seed=seeds, threshold=thresholds)
def test_yolox_kernel_equals_reference(data, seed, threshold):
    grid = yolox_grid(64, 32, (8, 16))
    cells = mix(np.random.default_rng(seed).random((len(grid), 9), dtype=np.float32), data, shares)
    wanted = data.draw(hnp.arrays(np.bool_, 4))
    assert_same(
        yolox_candidates(cells, grid, wanted, threshold),
        yolox_candidates_reference(cells, grid, wanted, threshold),
        threshold,
    )


@given(data=st.data(), seed=seeds, threshold=thresholds)
def test_fastestdet_kernel_equals_reference(data, seed, threshold):
    maps = mix(np.random.default_rng(seed).random((9, 3, 5), dtype=np.float32), data, shares)
    wanted = data.draw(hnp.arrays(np.bool_, 4))
    arguments = maps, wanted, threshold, 80, 48
    assert_same(fastestdet_candidates(*arguments), fastestdet_candidates_reference(*arguments), threshold)


def test_ssd_decodes_a_known_example():
    priors = np.array([[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1]], np.float32)
    loc = np.zeros((4, 2), np.float32)
    loc[:, 0] = [1, -1, np.log(2) / 0.2, 0]
    conf = np.full((4, 2), -20, np.float32)
    conf[0, 1] = 5  # background
    conf[2, 0], conf[3, 0] = np.log(3), 0
    found = ssd_candidates(loc, conf, priors, np.ones(3, np.bool_), 0.05, 100, 100)
    # center 0.5 + 0.1 * 0.2 = 0.52, 0.5 - 0.1 * 0.4 = 0.46; size 0.4, 0.4
    np.testing.assert_allclose(found.boxes_xyxy, [[32, 26, 72, 66]], atol=1e-4)
    assert found.class_ids.tolist() == [1, 2]
    np.testing.assert_allclose(found.scores, [0.75, 0.25], atol=1e-6)


def test_yolox_decodes_a_known_example():
    grid = yolox_grid(64, 64, (32,))
    cells = np.zeros((4, 7), np.float32)
    cells[3] = [0.5, 0.25, np.log(0.5), 0, 0.8, 0.1, 0.5]
    found = yolox_candidates(cells, grid, np.ones(2, np.bool_), 0.3)
    np.testing.assert_allclose(found.boxes_xyxy, [[40, 24, 56, 56]], atol=1e-4)
    assert (found.class_ids.tolist(), found.scores.round(4).tolist()) == ([1], [0.4000000059604645])


def test_fastestdet_decodes_a_known_example():
    maps = np.zeros((7, 2, 2), np.float32)
    maps[:, 1, 0] = [0.5, np.arctanh(0.5), 0, 0, np.log(3), 0, 0.5]
    found = fastestdet_candidates(maps, np.ones(2, np.bool_), 0.3, 80, 80)
    np.testing.assert_allclose(found.boxes_xyxy, [[0, 10, 40, 70]], atol=1e-3)
    assert (found.class_ids.tolist(), found.scores.round(4).tolist()) == ([1], [0.5])


def test_unwanted_class_does_not_suppress_others():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    rules = PostprocessRules(0.1, 0.5, np.array([False, True]))
    found = select_detections(boxes, np.array([0.9, 0.8], np.float32), np.array([0, 1]), rules)
    assert found.class_ids.tolist() == [1]


@pytest.mark.parametrize(("agnostic", "kept"), [(False, [0.9, 0.8]), (True, [0.9])])
def test_class_agnostic_nms_suppresses_other_classes(agnostic, kept):
    ids = np.arange(2, dtype=np.int32)
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9]], np.float32)
    candidates = Candidates(boxes, ids, np.array([0.8, 0.9], np.float32), ids)
    found = apply_nms(candidates, PostprocessRules(0.1, 0.5, np.ones(2, np.bool_), class_agnostic=agnostic))
    np.testing.assert_allclose(found.scores, kept)


@settings(max_examples=60)
@given(
    boxes=hnp.arrays(np.float32, (9, 4), elements=logits),
    scores=hnp.arrays(np.float32, 9, elements=shares),
    class_ids=hnp.arrays(np.int64, 9, elements=st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 3)),
)
def test_invalid_values_are_dropped(boxes, scores, class_ids):
    found = select_detections(
        boxes, scores, class_ids, PostprocessRules(0.1, 0.5, np.array([True, False, True]), max_detections=4)
    )
    assert len(found) <= 4
    assert np.isfinite(found.boxes_xyxy).all()
    assert ((found.scores > 0.1) & (found.scores <= 1)).all()
    assert set(found.class_ids.tolist()) <= {0, 2}
    assert (np.diff(found.scores) <= 0).all()
