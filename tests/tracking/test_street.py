"""Tracking on the synthetic street: people, cyclists and cars that hide each other, with exact ground truth."""

import functools

import numpy as np
import pytest

from streamdet.evaluate.mot import evaluate_mot
from streamdet.tracking.tracker import ByteTracker
from tests.tracking.street_detections import RATE_HZ, street

SEEDS = (31, 32, 33)


@functools.cache
def scene(seed):
    return street(seed)


@pytest.mark.parametrize(("every", "mota", "idf1"), [(1, 0.94, 0.88), (2, 0.94, 0.9), (4, 0.91, 0.85)])
def test_identities_at_10_5_and_2_5_detections_per_second(every, mota, idf1):
    results = []
    for seed in SEEDS:
        truth, ignored, found = (frames[::every] for frames in scene(seed))
        tracker = ByteTracker()
        shown = [tracker.update(frame, k * every / RATE_HZ) for k, frame in enumerate(found)]
        results.append(evaluate_mot(truth, shown, ignored))
    assert np.mean([result.mota for result in results]) >= mota
    assert np.mean([result.idf1 for result in results]) >= idf1
