"""The benchmarks of complete pipelines: fair baselines, separate processes, and the search for the capacity."""

import os
import time
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from streamdet.bench import capacity, pipeline
from streamdet.bench.candidate_process import WorkloadResult, compare
from streamdet.bench.capacity import Limit, Load, Trial, search
from streamdet.bench.opencv_baseline import YoloxBaseline, missing_packages
from streamdet.bench.simulated_camera import WARM_UP_S
from streamdet.bench.synthetic_clip import write_synthetic_clip
from streamdet.boxes import pairwise_iou
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.isolation import ChildEnded
from streamdet.models.catalog import resolve_model
from streamdet.picture import Picture


def busy(cpu_s):
    def run_once():
        end_s = time.process_time() + cpu_s
        while time.process_time() < end_s:
            pass
        return WorkloadResult(10)

    return run_once


def broken():
    raise ValueError("no such thing")


def test_each_candidate_is_measured_in_its_own_process():
    short, long = compare({"short": partial(busy, 0.02), "long": partial(busy, 0.1)}, 3)
    assert (short.name, long.name) == ("short", "long")
    assert short.cpu_ms == pytest.approx(2, rel=0.5)
    assert long.cpu_ms == pytest.approx(10, rel=0.5)
    assert long.fps < short.fps


def test_exception_of_a_candidate_is_raised():
    with pytest.raises(ValueError, match="no such thing"):
        compare({"broken": broken}, 1)


def die():
    os._exit(3)


def test_candidate_whose_process_dies_is_an_error():
    with pytest.raises(ChildEnded, match=r"^mortal ended with code 3$"):
        compare({"mortal": die}, 1)


@pytest.mark.parametrize("carried", [0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64])
def test_search_finds_the_limit_without_repeated_trials(carried):
    asked = []
    assert search(lambda n: asked.append(n) or n <= carried, 64) == carried
    assert len(asked) == len(set(asked)) <= 14
    assert all(1 <= n <= 64 for n in asked)


@pytest.mark.parametrize(
    ("trial", "within"),
    [
        (Trial(4, 299, 0.99, 5, 1, 0), True),
        (Trial(4, 300, 0.99, 5, 1, 0), False),
        (Trial(4, 299, 0.98, 5, 1, 0), False),
        (Trial(4, 299, 0.99, 4.9, 1, 0), False),
        (Trial(4, float("nan"), 0.99, 5, 1, 0), False),
    ],
)
def test_every_condition_of_the_limit_counts(trial, within):
    assert trial.within(Limit()) is within


def test_baseline_finds_the_same_objects(data_dir):
    """Otherwise it would be measured doing another job."""
    spec, file = resolve_model(data_dir / "models" / "yolox_nano.onnx")
    baseline = YoloxBaseline(file.data, spec.conf, spec.iou)
    photos = sorted((data_dir / "images").glob("*.jpg"))[:6]
    found = equal = 0
    with load_detector(data_dir / "models" / "yolox_nano.onnx", DetectorOptions(provider="cpu")) as detector:
        for photo in photos:
            bgr = cv2.imread(str(photo))
            ours = detector.detect([Picture.from_bgr(bgr)])[0].detections
            boxes, _, class_ids = baseline(bgr)
            found += len(ours)
            if len(ours) and len(boxes):
                overlap = pairwise_iou(ours.boxes_xyxy, boxes)
                overlap[ours.class_ids[:, None] != class_ids[None]] = 0
                equal += int((overlap.max(axis=1) > 0.8).sum())
    assert found > 10
    assert equal >= 0.9 * found


def test_capacity_of_one_stream(tmp_path):
    load = Load("synthetic-shapes", "cpu", width=320, height=240, fps=10, seconds=6)
    clip = write_synthetic_clip(tmp_path / "clip.mp4", 320, 240, 10, 15)
    with load_detector("synthetic-shapes", DetectorOptions(provider="cpu")) as detector:
        detector.warm_up()
        capacity.trial(
            1, replace(load, seconds=WARM_UP_S + 1), clip, tmp_path, detector
        )  # compiles the remaining kernels
        trial = capacity.trial(1, load, clip, tmp_path, detector)
    assert trial.streams == 1
    assert trial.shown > 0.5  # the machine may be busy
    assert trial.detections_hz > 1
    assert np.isfinite(trial.age_ms)


@pytest.mark.slow
def test_complete_table(data_dir):
    options = pipeline.PipelineBenchmark(str(data_dir / "models" / "yolox_nano.onnx"), frames=30)
    measured = pipeline.run(options, 1)
    names = [row[0] for row in measured.rows]
    assert names[0] == "streamdet"
    assert bool(missing_packages()) is not any("supervision" in name for name in names)
