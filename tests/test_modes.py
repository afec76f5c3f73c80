"""Live and smooth from the configuration to the results: what is built, what is shown, what is reported."""

import numpy as np
import pytest

import streamdet
from streamdet.build import build
from streamdet.config import parse_config
from streamdet.errors import ConfigError
from streamdet.pipeline.stream import Mode
from streamdet.tracking.interpolate import Smoother
from streamdet.tracking.motion import Mover

SCENE = "synthetic:shapes?frames=45&size=320x240&live=1"


@pytest.mark.parametrize(
    ("options", "mode", "kind"),
    [
        ({"mode": "live"}, Mode.LIVE, Mover),
        ({"mode": "smooth"}, Mode.SMOOTH, Smoother),
        ({"mode": "live", "motion": {"flow": False}}, Mode.LIVE, type(None)),
        ({"mode": "smooth", "motion": {"flow": False}}, Mode.SMOOTH, Smoother),
        ({"mode": "every-frame"}, Mode.EVERY_FRAME, type(None)),
        ({"mode": "smooth", "model": "none"}, Mode.SMOOTH, type(None)),
    ],
)
def test_what_each_mode_is_built_of(options, mode, kind):
    job = build(parse_config({"sources": ["synthetic:shapes?frames=5&size=320x240"], **options}))
    (stream,) = job.pipeline.streams
    assert stream.plan.mode is mode
    assert type(stream.plan.mover) is kind
    job.close()


def test_live_takes_how_long_to_show_what_is_missed_from_the_tracker():
    tree = {"sources": [SCENE], "mode": "live", "tracker": {"coast_s": 0.25, "fade_s": 3.0}}
    job = build(parse_config(tree))
    options = job.pipeline.streams[0].plan.mover.options
    assert (options.coast_s, options.fade_s, options.looks) == (0.25, 3.0, True)
    job.close()


@pytest.mark.parametrize("flow", [True, False])
def test_smooth_shows_every_frame_later_with_detections_on_both_sides(flow):
    results = []
    report = streamdet.run(SCENE, mode="smooth", motion={"delay_s": 0.4, "flow": flow}, on_result=results.append)
    (stream,) = report.streams
    assert (stream.mode, stream.delay_s) == ("smooth", 0.4)
    assert stream.captured == stream.shown + sum(stream.dropped.values())
    assert [r.frame.index for r in results] == sorted(r.frame.index for r in results)
    assert stream.sinks[0].age.p50_ms >= 400 * 0.98
    assert stream.between > 0.5 * stream.shown
    ids = np.concatenate([r.detections.track_ids for r in results])
    assert (ids > 0).all()
    assert all(len(set(r.detections.track_ids.tolist())) == len(r.detections) for r in results)
    assert ("motion" in stream.stages) is True


def test_a_file_is_played_at_its_own_pace_where_its_frames_are_to_wait(tmp_path):
    from tests.sources.clips import encode

    clip = encode(tmp_path / "clip.mp4", 12, (128, 96))
    job = build(parse_config({"sources": [str(clip)], "model": "synthetic-shapes", "mode": "smooth"}))
    assert job.pipeline.streams[0].plan.source.live
    job.close()


@pytest.mark.parametrize("delay", [0, -1, 5.1, float("nan")])
def test_a_delay_that_cannot_be_is_refused(delay):
    with pytest.raises(ConfigError, match=r"motion.delay_s must be more than 0 and at most 5"):
        parse_config({"sources": [SCENE], "motion": {"delay_s": delay}})
