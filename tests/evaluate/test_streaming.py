"""Streaming quality: the measure computed by hand, the simulation's timing, and the quality of each mode."""

from fractions import Fraction

import numpy as np
import pytest

from streamdet.errors import UsageError
from streamdet.evaluate.streaming import MODES, ModeSimulation, Setting, evaluate_streaming, overlaps_by_id
from streamdet.evaluate.streaming_ground_truth import GroundTruthFrames, GroundTruthOptions
from streamdet.evaluate.streaming_report import latencies, report
from streamdet.picture import Picture
from streamdet.types import Detections, Frame

FPS = 10
GRAY = Picture.from_bgr(np.full((32, 64, 3), 90, np.uint8))


def tracked(boxes, ids):
    n = len(ids)
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(boxes, np.ones(n, np.float32), np.zeros(n, np.int32), np.array(ids, np.int64))


def video(count, truth):
    return [(Frame(GRAY, "v", k, k, Fraction(1, FPS), 0), truth(k)) for k in range(count)]


def box_at(k, speed=1.0):
    return [10 + speed * k, 5, 20 + speed * k, 25]


def test_overlaps_are_by_id_and_minus_1_for_missing_ones():
    shown = tracked([[0, 0, 10, 10], [50, 0, 60, 10]], [7, 8])
    truth = tracked([[5, 0, 15, 10], [50, 0, 60, 10], [0, 0, 10, 10], [90, 0, 95, 5]], [7, 8, 9, 10])
    assert overlaps_by_id(shown, truth).tolist() == pytest.approx([1 / 3, 1, -1, -1])
    assert overlaps_by_id(tracked([], []), truth).tolist() == [-1] * 4
    assert len(overlaps_by_id(shown, tracked([], []))) == 0


def test_hold_last_by_hand():
    # 10 frames/s, 2 detections/s, latency 0.3 s: detection runs on frames 0, 5, 10; the results arrive at 3, 8, 13.
    simulation = ModeSimulation("hold-last", Setting(2, 0.3))
    for frame, truth in video(15, lambda k: tracked([box_at(k)], [1])):
        simulation.frame(frame, truth)
    score = simulation.score()
    lags = [k - (0 if k < 8 else 5 if k < 13 else 10) for k in range(3, 15)]
    assert score.frames == score.true_boxes == 12  # from the arrival of the first detections
    assert score.quality == pytest.approx(np.mean([max(0, 10 - lag) / (10 + lag) for lag in lags]), rel=1e-6)
    assert score.detection_age_s == pytest.approx(np.median(lags) / FPS)
    assert (score.missing, score.extra, score.between_detections, score.delay_s) == (0, 0, 0, 0)


def test_missing_and_extra_boxes_are_counted():
    # Object 1 exists until frame 6, object 2 from frame 4; detections of frames 0, 5, ... arrive without latency.
    truth = lambda k: tracked([box_at(0)] * ((k < 7) + (k >= 4)), [1] * (k < 7) + [2] * (k >= 4))  # noqa: E731
    simulation = ModeSimulation("hold-last", Setting(2, 0.0))
    for frame, true in video(10, truth):
        simulation.frame(frame, true)
    score = simulation.score()
    assert score.true_boxes == 7 + 6
    assert score.missing == pytest.approx(1 / 13)  # object 2 in frame 4
    assert score.extra == pytest.approx(3 / 13)  # object 1 in frames 7, 8, 9
    assert score.quality == pytest.approx(12 / 13)


def test_smooth_mode_interpolates_if_the_delay_suffices_and_degrades_otherwise():
    truth = lambda k: tracked([box_at(k)], [1])  # noqa: E731
    enough = ModeSimulation("smooth", Setting(2, 0.3, delay_s=0.8))
    short = ModeSimulation("smooth", Setting(2, 0.3, delay_s=0.2))
    for simulation in (enough, short):
        for frame, true in video(31, truth):
            simulation.frame(frame, true)
        simulation.finish()
    assert enough.score().between_detections == 1.0
    assert enough.score().quality == pytest.approx(1, abs=1e-3)  # it interpolates straight lines exactly
    assert enough.score().delay_s == 0.8
    assert short.score().between_detections < 0.5
    assert short.score().quality > 0.5
    assert short.score().frames == enough.score().frames == 28


def test_every_mode_is_perfect_with_immediate_detections_of_every_frame():
    for score in evaluate_streaming(video(20, lambda k: tracked([box_at(k)], [1])), [Setting(FPS, 0.0)]):
        assert score.quality == pytest.approx(1, abs=1e-6), score.mode


def test_results_are_reproducible_except_processor_times():
    def once():
        frames = GroundTruthFrames(GroundTruthOptions("synthetic:street?frames=24&objects=6&size=640x360"))
        return [
            {**row, "motion_ms": 0} for row in report(evaluate_streaming(frames, [Setting(5, 0.2)]), "s", "t")["scores"]
        ]

    first = once()
    assert first == once()
    assert [row["mode"] for row in first] == list(MODES)


def test_latencies_in_words():
    video_of = video(12, lambda k: tracked([box_at(k)], [1]))
    scores = evaluate_streaming(video_of, [Setting(2, 0.5), Setting(5, 0.2), Setting(5, 0.5)])
    counts = {words: len(part) for words, part in latencies(scores).items()}
    assert counts == {"500 ms": 8, "200 ms": 4}, "a rate whose period is one of the latencies stays in its curve"
    assert {words: len(part) for words, part in latencies(scores[:8]).items()} == {"one period": 8}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (GroundTruthOptions("synthetic:street?live=1"), "give a video file or synthetic:"),
        (GroundTruthOptions("synthetic:street?frames=0"), "has no end: limit it with --max-frames"),
    ],
)
def test_a_source_without_end_is_an_error(options, message):
    with pytest.raises(UsageError, match=message):
        list(GroundTruthFrames(options))


def test_a_video_needs_a_model(tmp_path):
    from tests.sources.clips import encode

    clip = encode(tmp_path / "clip.mp4", 4, (64, 48))
    with pytest.raises(UsageError, match="no model given"):
        GroundTruthFrames(GroundTruthOptions(str(clip)))


def scores_of(source, settings, model=None, **options):
    truth = GroundTruthOptions(source, None if model is None else str(model), **options)
    scores = evaluate_streaming(GroundTruthFrames(truth), settings)
    return {(score.mode, score.setting.rate_hz): score for score in scores}


SETTINGS = [Setting(2, 0.5), Setting(5, 0.2)]


def test_quality_on_a_street_with_exact_ground_truth():
    """Limits from seed 7 with 12 objects and 240 frames; `bench motion` and `eval streaming` measure more."""
    scores = scores_of("synthetic:street?frames=150&objects=12&seed=7", SETTINGS)
    assert scores["hold-last", 2].quality < 0.15
    assert scores["live", 2].quality > 0.45
    assert scores["live", 5].quality > 0.60 > scores["hold-last", 5].quality
    assert scores["smooth", 2].quality > 0.75
    assert scores["smooth", 5].quality > 0.87


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_quality_on_a_filmed_crowd(data_dir):
    """Ground truth is YOLOX-nano and the tracker on every frame of a filmed street with up to 22 people."""
    clip, model = data_dir / "videos/people-walking.mp4", data_dir / "models/yolox_nano.onnx"
    scores = scores_of(str(clip), SETTINGS, model)
    assert scores["live", 2].quality > scores["hold-last", 2].quality + 0.08
    assert scores["live", 5].quality > scores["hold-last", 5].quality + 0.05
    assert scores["live", 2].quality > 0.55
    assert scores["live", 5].quality > 0.71
    assert scores["smooth", 2].quality > 0.86
    assert scores["smooth", 5].quality > 0.94
