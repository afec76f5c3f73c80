"""Tracking metrics: published ones, and those computed by hand."""

import math

import numpy as np
import pytest

from streamdet.evaluate.mot import MotSequence, evaluate_mot, evaluate_sequences
from streamdet.evaluate.mot_text import read_ground_truth, read_tracks
from streamdet.types import Detections


def at(*objects):
    """Returns a frame; each object is (position, identity) or (position, identity, class), positions 100 px apart."""
    rows = [(*o, 0)[:3] for o in objects]
    boxes = np.array([[100 * x, 0, 100 * x + 50, 100] for x, _, _ in rows], np.float32).reshape(-1, 4)
    return Detections(
        boxes,
        np.ones(len(rows), np.float32),
        np.array([c for _, _, c in rows], np.int32),
        np.array([i for _, i, _ in rows], np.int64),
    )


def test_sort_on_tud_campus_has_the_published_metrics(data_dir):
    mot = data_dir / "mot"
    truth = read_ground_truth(mot / "TUD-Campus" / "gt.txt")
    numbers = evaluate_mot(truth.frames, read_tracks(mot / "sort_reference_output" / "TUD-Campus.txt", 71))
    percents = {name: round(100 * getattr(numbers, name), 3) for name in ("hota", "mota", "motp", "idf1")}
    assert percents == {"hota": 45.257, "mota": 62.674, "motp": 73.677, "idf1": 60.645}
    assert (numbers.false_positives, numbers.misses, numbers.id_switches) == (15, 113, 6)
    assert (numbers.frames, numbers.identities, numbers.objects) == (71, 8, 359)


def test_a_perfect_tracker():
    truth = [at((0, 7), (1, 9)), at((0.1, 7), (1.1, 9)), at((0.2, 7))]
    shown = [at((1, 1), (0, 2)), at((1.1, 1), (0.1, 2)), at((0.2, 2))]
    numbers = evaluate_mot(truth, shown)
    for name in ("hota", "det_a", "ass_a", "loc_a", "mota", "motp", "idf1", "precision", "recall"):
        assert getattr(numbers, name) == pytest.approx(1.0), name
    for name in ("false_positives", "misses", "id_switches", "fragmentations", "mostly_lost"):
        assert getattr(numbers, name) == 0, name
    assert (numbers.matches, numbers.mostly_tracked) == (5, 2)
    assert (numbers.identities, numbers.tracks, numbers.frames) == (2, 2, 3)


def test_metrics_equal_those_by_hand():
    """One object for ten frames: missed in the fifth, another identity from the sixth, one false positive."""
    truth = [at((0, 1))] * 10
    shown = [at((0, 5))] * 4 + [at()] + [at((0, 6))] * 4 + [at((0, 6), (3, 8))]
    numbers = evaluate_mot(truth, shown)
    assert (numbers.matches, numbers.misses, numbers.false_positives, numbers.id_switches) == (9, 1, 1, 1)
    assert numbers.mota == pytest.approx(1 - 3 / 10)
    assert numbers.motp == 1
    assert numbers.precision == pytest.approx(9 / 10)
    assert numbers.recall == pytest.approx(9 / 10)
    # identity 6 is assigned to the object, in 5 frames: 5 of 10 ground truth boxes and of 10 shown boxes
    assert numbers.idf1 == numbers.id_recall == numbers.id_precision == pytest.approx(0.5)
    assert numbers.det_a == pytest.approx(9 / 11)
    # identity 5: 4 common boxes of 10; identity 6: 5 of 10; each weighted by its number of boxes
    assert numbers.ass_a == pytest.approx((4 * 0.4 + 5 * 0.5) / 9)
    assert numbers.hota == pytest.approx(math.sqrt(numbers.det_a * numbers.ass_a))
    assert (numbers.mostly_tracked, numbers.partly_tracked, numbers.mostly_lost) == (1, 0, 0)
    assert numbers.tracks == 3


def test_an_object_shown_again_after_a_gap_is_a_fragmentation():
    truth = [at((0, 1), (5, 2))] * 6  # the second object is always shown, so that no frame is empty
    shown = [at((0, 1), (5, 2)), at((5, 2)), at((0, 1), (5, 2)), at((5, 2)), at((5, 2)), at((0, 1), (5, 2))]
    numbers = evaluate_mot(truth, shown)
    assert (numbers.fragmentations, numbers.id_switches, numbers.misses) == (2, 0, 3)
    assert (numbers.mostly_tracked, numbers.partly_tracked) == (1, 1)


def test_shuffled_identities_lower_association_but_not_detection():
    generator = np.random.default_rng(1)
    truth = [at(*((x, x) for x in range(8)))] * 40
    shown = [at(*zip(range(8), generator.permutation(8).tolist(), strict=True)) for _ in truth]
    numbers = evaluate_mot(truth, shown)
    assert numbers.det_a == numbers.recall == 1
    assert numbers.ass_a < 0.15
    assert numbers.idf1 < 0.3
    assert numbers.id_switches > 200


@pytest.mark.parametrize(("min_iou", "matches"), [(0.5, 0), (0.3, 4)])
def test_matches_depend_on_the_minimum_iou(min_iou, matches):
    numbers = evaluate_mot([at((0, 1))] * 4, [at((0.2, 1))] * 4, min_iou=min_iou)  # IoU 30/70
    assert numbers.matches == matches
    assert numbers.det_a == pytest.approx(8 / 19), "HOTA averages over 19 thresholds, of which 0.43 reaches 8"


def test_ignored_objects_are_neither_misses_nor_false_positives():
    truth = [at((0, 1), (1, 2))] * 4
    ignored = [np.array([False, True])] * 4
    for shown in (at((0, 1)), at((0, 1), (1, 2))):
        numbers = evaluate_mot(truth, [shown] * 4, ignored)
        assert (numbers.mota, numbers.idf1, numbers.hota) == (1, 1, 1)
        assert (numbers.identities, numbers.objects) == (1, 4)
    numbers = evaluate_mot(truth, [at((0, 1), (2, 2))] * 4, ignored)
    assert numbers.false_positives == 4, "a box without an object stays a false positive"


def test_a_box_matches_the_object_of_higher_iou_not_the_ignored_one_next_to_it():
    truth, ignored = [at((0, 1), (0.1, 2))], [np.array([True, False])]
    assert evaluate_mot(truth, [at((0.1, 5))], ignored).matches == 1
    assert evaluate_mot(truth, [at((0, 5))], ignored).misses == 1


def test_boxes_of_different_classes_do_not_match():
    truth, shown = [at((0, 1, 2), (1, 2, 3))] * 3, [at((0, 1, 2), (1, 2, 4))] * 3
    numbers = evaluate_mot(truth, shown)
    assert (numbers.matches, numbers.misses, numbers.false_positives) == (3, 3, 3)
    assert evaluate_mot(truth, shown, class_agnostic=True).mota == 1
    ignored = [np.array([False, True])] * 3
    assert evaluate_mot(truth, shown, ignored).false_positives == 3, "ignored objects have a class too"


def test_shares_are_nan_without_objects():
    empty = evaluate_mot([at()] * 3, [at()] * 3)
    assert all(math.isnan(share) for share in (empty.hota, empty.mota, empty.motp, empty.idf1, empty.precision))
    only_false = evaluate_mot([at()] * 3, [at((0, 1))] * 3)
    assert math.isnan(only_false.mota)
    assert (only_false.false_positives, only_false.objects, only_false.tracks) == (3, 0, 1)


def test_no_shown_boxes():
    numbers = evaluate_mot([at((0, 1))] * 3, [at()] * 3)
    assert (numbers.hota, numbers.mota, numbers.idf1, numbers.recall) == (0, 0, 0, 0)
    assert math.isnan(numbers.motp)
    assert (numbers.misses, numbers.mostly_lost, numbers.frames) == (3, 1, 3)


def test_combined_metrics_weight_sequences_by_their_boxes():
    good = MotSequence([at((0, 1))] * 9, [at((0, 1))] * 9)
    bad = MotSequence([at((0, 1))] * 3, [at((5, 1))] * 3)
    result = evaluate_sequences({"good": good, "bad": bad})
    assert (result.sequences["good"].mota, result.sequences["bad"].mota) == (1, -1)
    assert result.combined.mota == pytest.approx((9 - 3) / 12)
    assert result.combined.idf1 == pytest.approx(9 / 12)
    assert (result.combined.frames, result.combined.identities, result.combined.tracks) == (12, 2, 2)


@pytest.mark.parametrize(
    ("truth", "shown", "ignored", "message"),
    [
        pytest.param([at()], [], None, "truth has 1 frames, shown has 0", id="lengths"),
        pytest.param([at((0, -1))], [at()], None, "truth: an object of frame 0 has no identity", id="no identity"),
        pytest.param([at()], [at((0, 1), (1, 1))], None, "shown: two objects of frame 0", id="twice"),
        pytest.param([at((0, 1))], [at()], [np.array([], bool)], "one bool per object", id="mask"),
    ],
)
def test_invalid_input(truth, shown, ignored, message):
    with pytest.raises(ValueError, match=message):
        evaluate_mot(truth, shown, ignored)


def test_nothing_is_printed(capfd):
    evaluate_mot([at((0, 1))], [at((0, 1))])
    assert capfd.readouterr() == ("", "")
