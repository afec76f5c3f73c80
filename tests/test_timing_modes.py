"""The timing modes from the configuration to the results: what is built, shown and reported."""

import re

import numpy as np
import pytest

import streamdet
from streamdet.build import build
from streamdet.config import parse_config
from streamdet.errors import ConfigError
from streamdet.inference.detector import ModelDetector
from streamdet.inference.session import Session
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.tracking.live_mover import LiveMover
from streamdet.tracking.smoother import Smoother
from tests.running import Running, records

SCENE = "synthetic:shapes?frames=45&size=320x240&live=1"


@pytest.mark.parametrize(
    ("options", "mode", "kind"),
    [
        ({"mode": "live"}, TimingMode.LIVE, LiveMover),
        ({"mode": "smooth"}, TimingMode.SMOOTH, Smoother),
        ({"mode": "live", "motion": {"flow": False}}, TimingMode.LIVE, type(None)),
        ({"mode": "smooth", "motion": {"flow": False}}, TimingMode.SMOOTH, Smoother),
        ({"mode": "every-frame"}, TimingMode.EVERY_FRAME, type(None)),
        ({"mode": "smooth", "model": "none"}, TimingMode.SMOOTH, type(None)),
    ],
)
def test_each_mode_gets_its_mover(options, mode, kind):
    job = build(parse_config({"sources": ["synthetic:shapes?frames=5&size=320x240"], **options}))
    (stream,) = job.pipeline.streams
    assert stream.plan.mode is mode
    assert type(stream.plan.mover) is kind
    job.close()


@pytest.mark.parametrize(
    ("breaks", "options"),
    [
        ("streamdet.build.Pipeline", {}),
        ("streamdet.build.choose_modes", {}),
        ("streamdet.inference.detector.ModelDetector.warm_up", {}),
        ("", {"tracker": {"low_score": 0.6}}),
    ],
    ids=["pipeline", "choice", "warm-up", "tracker"],
)
def test_a_failed_build_closes_the_session(monkeypatch, breaks, options):
    sessions, made = [], Session.__init__
    monkeypatch.setattr(Session, "__init__", lambda self, *a, **k: sessions.append(self) or made(self, *a, **k))
    if breaks:

        def fail(*args, **kwargs):
            raise ConfigError("the build fails")

        monkeypatch.setattr(breaks, fail)
    with pytest.raises(ConfigError):
        build(parse_config({"sources": ["synthetic:shapes?frames=5&size=320x240"], **options}))
    (session,) = sessions
    assert session._engine is None


@pytest.mark.parametrize(
    ("mode", "logged"), [("live", True), ("every-frame", True), ("smooth", False), ("auto", False)]
)
def test_a_delay_without_effect_is_logged(mode, logged, caplog):
    build(parse_config({"sources": [SCENE], "model": "none", "mode": mode, "motion": {"delay_s": 2.0}})).close()
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ([f"mode {mode} ignores motion.delay_s (--delay): it delays no frames"] if logged else [])


def test_live_mode_takes_coast_and_half_life_from_the_tracker_options():
    tree = {"sources": [SCENE], "mode": "live", "tracker": {"coast_s": 0.25, "score_half_life_s": 3.0}}
    job = build(parse_config(tree))
    options = job.pipeline.streams[0].plan.mover.options
    assert (options.coast_s, options.score_half_life_s, options.flow) == (0.25, 3.0, True)
    job.close()


@pytest.mark.parametrize("flow", [True, False])
def test_smooth_mode_shows_every_frame_later_between_detections(flow):
    results = []
    report = streamdet.run(SCENE, mode="smooth", motion={"delay_s": 0.4, "flow": flow}, on_result=results.append)
    (stream,) = report.streams
    assert (stream.mode, stream.delay_s) == ("smooth", 0.4)
    assert stream.captured == stream.shown + sum(stream.dropped.values())
    assert [r.frame.index for r in results] == sorted(r.frame.index for r in results)
    assert stream.sinks[0].age.p50_ms >= 400 * 0.98
    assert stream.interpolated > 0.5 * stream.shown
    ids = np.concatenate([r.detections.track_ids for r in results])
    assert (ids > 0).all()
    assert all(len(set(r.detections.track_ids.tolist())) == len(r.detections) for r in results)
    assert ("motion" in stream.stages) is True


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "every-frame"},
        {"mode": "live"},
        {"mode": "live", "motion": {"flow": False}, "source": {"detect": {"max_hz": 5.0}}},
        {"mode": "smooth"},
    ],
    ids=lambda options: " ".join(options),
)
def test_written_boxes_end_at_the_border_in_every_mode(options, tmp_path):
    """People enter and leave the picture: the boxes of a tracker alone would extend beyond it."""
    lines = tmp_path / "out.jsonl"
    scene = "synthetic:street?frames=60&size=640x360&objects=12&seed=7"
    streamdet.run(scene, outputs=lines, **options)
    boxes = np.array([d["box_xyxy"] for record in records(lines) for d in record["detections"]])
    assert len(boxes) > 100
    assert (boxes >= 0).all()
    assert (boxes <= [640, 360, 640, 360]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes[:, [0, 2]] % 640 == 0).any(), "some person is cut off by the border"


def test_smooth_mode_plays_a_file_at_its_own_rate(tmp_path):
    from tests.sources.clips import encode

    clip = encode(tmp_path / "clip.mp4", 12, (128, 96))
    job = build(parse_config({"sources": [str(clip)], "model": "synthetic-shapes", "mode": "smooth"}))
    assert job.pipeline.streams[0].plan.source.live
    job.close()


@pytest.mark.parametrize("delay", [0, -1, 5.1, float("nan")])
def test_an_impossible_delay_is_an_error(delay):
    with pytest.raises(ConfigError, match=r"motion.delay_s must be more than 0 and at most 5"):
        parse_config({"sources": [SCENE], "motion": {"delay_s": delay}})


@pytest.fixture
def set_seconds_per_picture(monkeypatch):
    """Returns a function that sets the measured seconds per picture and returns the list of measurements."""
    measured = []

    def set(seconds):
        monkeypatch.setattr(ModelDetector, "measure_seconds_per_picture", lambda self: measured.append(1) or seconds)
        return measured

    return set


def chosen(folder, sources, *, outputs=("out.mp4",), **options):
    job = build(parse_config({"sources": sources, "outputs": [str(folder / o) for o in outputs], **options}))
    job.close()
    return [(s.plan.mode.value, s.plan.delay_s) for s in job.pipeline.streams]


def test_a_recorded_camera_with_a_slow_detector_gets_smooth_mode(set_seconds_per_picture, tmp_path):
    measured = set_seconds_per_picture(0.2)
    assert chosen(tmp_path, [SCENE]) == [("smooth", 0.6)]
    assert chosen(tmp_path, [SCENE], outputs=["out.mp4", "out.jsonl"]) == [("smooth", 0.6)]
    assert len(measured) == 2


@pytest.mark.parametrize(
    ("source", "options", "mode"),
    [
        (SCENE, {"outputs": ["out.jsonl"]}, "live"),
        (SCENE, {"outputs": []}, "live"),
        (SCENE, {"model": "none"}, "live"),
        (SCENE, {"mode": "live"}, "live"),
        (SCENE.replace("&live=1", ""), {}, "every-frame"),
    ],
)
def test_the_detector_is_measured_only_if_the_choice_depends_on_it(
    set_seconds_per_picture, tmp_path, source, options, mode
):
    measured = set_seconds_per_picture(0.2)
    assert [mode for mode, _ in chosen(tmp_path, [source], **options)] == [mode]
    assert measured == []


def test_results_for_a_callback_are_not_delayed(set_seconds_per_picture, tmp_path):
    set_seconds_per_picture(0.2)
    report = streamdet.run(SCENE, outputs=tmp_path / "out.mp4", on_result=lambda result: None, max_frames=3)
    assert (report.streams[0].mode, report.streams[0].delay_s) == ("live", 0.0)
    assert report.streams[0].mode_reason.startswith("not only recorded")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("smooth", 0.9)] * 2),  # in turns: detection runs half as often on each
        ({"sources": {"a": {"url": SCENE, "detect": {"priority": 3}}, "b": SCENE}}, [("smooth", 0.7), ("live", 0.0)]),
        ({"source": {"detect": {"max_hz": 2.0}}}, [("smooth", 1.2)] * 2),
        ({"source": {"detect": {"max_hz": 1.9}}}, [("live", 0.0)] * 2),  # 2.5 s in total
        ({"source": {"detect": {"max_hz": 1.9}}, "motion": {"delay_s": 2.0}}, [("smooth", 1.3)] * 2),
        ({"motion": {"delay_s": 0.8}}, [("live", 0.0)] * 2),
    ],
)
def test_streams_share_the_detector(set_seconds_per_picture, tmp_path, options, expected):
    set_seconds_per_picture(0.18)
    assert chosen(tmp_path, options.pop("sources", [SCENE, SCENE]), **options) == expected


def test_the_measurement_includes_pre_and_postprocessing():
    job = build(parse_config({"sources": [SCENE]}))
    assert 0 < job.detector.measure_seconds_per_picture() < 5
    job.close()


SLOW = """
import time
from streamdet.inference.session import Session
run = Session.run
Session.run = lambda *arguments: (time.sleep(0.25), run(*arguments))[1]
"""


def test_the_command_prints_the_chosen_mode_and_runs_in_it(tmp_path):
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    with Running("run", SCENE, "-o", video, "-o", lines, folder=tmp_path, first=SLOW) as run:
        assert run.ends() == 0, run.stderr
        modes = [line for line in run.stderr.splitlines() if line.startswith("mode")]
        assert len(modes) == 1
        match = re.match(r"mode: smooth, (0\.\d|1\.\d) s delay: recorded only, and [23]\.\d detections/s", modes[0])
        assert match, modes[0]
        assert f"smooth ({match[1]} s delay)" in run.stderr
    assert len(records(lines)) == 45
    ages_s = [record["detection_age_s"] for record in records(lines) if record["detection_age_s"] is not None]
    assert np.median(ages_s) < 0.25  # in live mode, detections are older than one inference takes


def test_an_explicit_choice_is_not_explained(tmp_path):
    with Running("run", SCENE, "--mode", "live", "-o", tmp_path / "out.mp4", folder=tmp_path, first=SLOW) as run:
        assert run.ends() == 0, run.stderr
        assert "mode" not in run.stderr.replace("bf16", "")
        assert ", live, inference on" in run.stderr
