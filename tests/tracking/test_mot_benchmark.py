"""Tracking scored on public detections against ground truth (MOTChallenge), or for plausibility without it."""

import numpy as np
import pytest

from streamdet.evaluate.mot import evaluate_mot
from streamdet.evaluate.mot_text import read_detections, read_ground_truth, read_tracks
from streamdet.tracking.matching import iou_matrix
from streamdet.tracking.tracker import ByteTracker
from streamdet.types import Detections

RATES_HZ = {"TUD-Campus": 25, "ADL-Rundle-6": 30, "ETH-Sunnyday": 14, "KITTI-17": 10, "PETS09-S2L1": 7}


def truth_of(folder):
    return read_ground_truth(folder / "gt.txt").frames


def detections_of(folder):
    return read_detections(folder / "det.txt")


def track(frames, rate_hz):
    tracker = ByteTracker()
    return [tracker.update(frame, k / rate_hz) for k, frame in enumerate(frames)]


def test_tud_campus(data_dir):
    """Others on these detections: BoT-SORT 0.632 / 0.745, SORT 0.627 / 0.606, ByteTrack 0.579 / 0.603 (MOTA / IDF1)."""
    folder = data_dir / "mot" / "TUD-Campus"
    result = evaluate_mot(truth_of(folder), track(detections_of(folder), 25))
    assert result.mota >= 0.645
    assert result.idf1 >= 0.76
    assert result.hota >= 0.55
    assert result.id_switches <= 3


@pytest.mark.parametrize(
    ("every", "mota", "idf1"), [(2, 0.65, 0.75), (3, 0.62, 0.71), (5, 0.58, 0.68), (8, 0.50, 0.59)]
)
def test_tud_campus_with_fewer_detections_per_second(data_dir, every, mota, idf1):
    folder = data_dir / "mot" / "TUD-Campus"
    truth, frames = truth_of(folder), detections_of(folder)
    results = [evaluate_mot(truth[k::every], track(frames[k::every], 25 / every)) for k in range(min(every, 4))]
    assert np.mean([r.mota for r in results]) >= mota
    assert np.mean([r.idf1 for r in results]) >= idf1


@pytest.mark.parametrize("name", RATES_HZ)
def test_tracks_are_longer_than_those_of_sort_and_as_many_objects_are_shown(data_dir, name):
    frames = detections_of(data_dir / "mot" / name)
    shown = track(frames, RATES_HZ[name])
    lengths = np.unique(np.concatenate([f.track_ids for f in shown]), return_counts=True)[1]
    reference = read_tracks(data_dir / "mot" / "sort_reference_output" / f"{name}.txt")
    sort_lengths = np.unique(np.concatenate([f.track_ids for f in reference]), return_counts=True)[1]
    assert len(lengths) <= len(sort_lengths)
    assert np.mean(lengths) > np.mean(sort_lengths)
    assert 0.9 * sum(map(len, frames)) <= lengths.sum() <= sum(map(len, frames))
    for found in shown:
        assert len(set(found.track_ids.tolist())) == len(found)


@pytest.mark.parametrize(("every", "late_s", "gain"), [(3, 0.12, 0.12), (5, 0.2, 0.15), (8, 0.32, 0.04)])
def test_predicted_boxes_are_nearer_to_the_ground_truth_than_the_last_ones(data_dir, every, late_s, gain):
    folder = data_dir / "mot" / "TUD-Campus"
    truth, frames = truth_of(folder), detections_of(folder)
    tracker, last = ByteTracker(), Detections.empty()
    waiting = [(k / 25, frame) for k, frame in enumerate(frames)][::every]
    predicted, kept, boxes = 0.0, 0.0, 0
    for k, true in enumerate(truth):
        while waiting and waiting[0][0] + late_s <= k / 25 + 1e-9:
            time_s, frame = waiting.pop(0)
            last = tracker.update(frame, time_s)
        if len(last):
            boxes += len(true)
            predicted += iou_matrix(true.boxes_xyxy, tracker.predict(k / 25).boxes_xyxy).max(axis=1).sum()
            kept += iou_matrix(true.boxes_xyxy, last.boxes_xyxy).max(axis=1).sum()
    assert predicted / boxes >= kept / boxes + gain
