"""Trackers by name, and the caller's own: a new one for each stream, given the detections that it asked for."""

import numpy as np
import pytest

import streamdet
from streamdet import trackers
from streamdet.build import build
from streamdet.config import parse_config
from streamdet.errors import ConfigError, UsageError
from streamdet.tracking.tracker import ByteTracker

SCENE = "synthetic:shapes?frames=12&size=320x240&seed=3"


class CountingTracker:
    """Gives every object of every update a new id from 1000 on, and remembers the lowest score."""

    def __init__(self, options=None):
        self.options = options
        self.updates = 0
        self.lowest = np.inf

    def update(self, detections, time_s, camera_motion=None, picture=None):
        self.updates += 1
        self.lowest = min(self.lowest, detections.scores.min(initial=np.inf))
        detections.track_ids[:] = 1000 + np.arange(len(detections))
        return detections

    def predict(self, time_s):
        raise AssertionError("every frame has its own detections")


SHARED = CountingTracker()


@pytest.fixture
def counting_name():
    """The name under which `CountingTracker` is registered, and the trackers made."""
    made = []
    trackers.register_tracker("counting", lambda options: made.append(CountingTracker(options)) or made[-1])
    yield "counting", made
    trackers.unregister_tracker("counting")


@pytest.mark.parametrize("as_key", [False, True], ids=["name", "configuration"])
def test_a_registered_tracker_is_used_by_name_for_each_stream(counting_name, as_key):
    name, made = counting_name
    results = []
    tracker = {"kind": name} if as_key else name
    streamdet.run([SCENE, SCENE], tracker=tracker, detector={"conf": 0.3}, on_result=results.append)
    assert [tracker.updates for tracker in made] == [12, 12]
    assert all((result.detections.track_ids >= 1000).all() for result in results)
    assert [tracker.options.new_track_score for tracker in made] == [0.3, 0.3]
    assert all(tracker.lowest > tracker.options.low_score for tracker in made)


def test_the_table_lists_what_the_configuration_accepts(counting_name):
    names = trackers.tracker_names()
    assert names == ["auto", *trackers._FACTORIES, "none"]
    assert {"bytetrack", "counting"} <= set(names)
    for name in names:
        assert parse_config({"tracker": {"kind": name}}).tracker.kind == name


def names_in_words():
    """Returns the list of names as messages have it: 'auto', 'bytetrack' or 'none'."""
    *names, last = map(repr, trackers.tracker_names())
    assert "'bytetrack'" in names
    assert last == "'none'"
    return f"{', '.join(names)} or {last}"


def test_an_unknown_tracker_is_an_error_that_lists_the_names(counting_name):
    expected = f"'sort' is not valid; use one of {names_in_words()}"
    assert "'counting'" in expected
    for make in (
        lambda: streamdet.run(SCENE, tracker="sort"),
        lambda: parse_config({"tracker": {"kind": "sort"}}),
    ):
        with pytest.raises(ConfigError) as refused:
            make()
        assert str(refused.value) == f"tracker.kind: {expected}"
    with pytest.raises(UsageError) as refused:
        trackers.create_tracker("sort", streamdet.TrackerOptions())
    assert str(refused.value) == expected


@pytest.mark.parametrize("name", ["auto", "none", "bytetrack"])
def test_a_taken_name_cannot_be_registered(name):
    with pytest.raises(UsageError, match=f"{name!r} is taken: choose one other than {names_in_words()}"):
        trackers.register_tracker(name, CountingTracker)


def test_an_empty_name_cannot_be_registered():
    with pytest.raises(UsageError, match="the name of a tracker must not be empty"):
        trackers.register_tracker("", CountingTracker)
    assert "" not in trackers.tracker_names()


class WarmingTracker(CountingTracker):
    """Records how many updates each tracker had when it was warmed up."""

    warmed = ()

    def warm_up(self):
        WarmingTracker.warmed += (self.updates,)


def test_a_tracker_with_a_warm_up_is_warmed_up_once_before_the_first_frame(monkeypatch):
    monkeypatch.setattr(WarmingTracker, "warmed", ())
    prepared = build(parse_config({"sources": [SCENE, SCENE]}), tracker=WarmingTracker)
    try:
        assert WarmingTracker.warmed == (0,)
        prepared.run()
    finally:
        prepared.close()
    assert WarmingTracker.warmed == (0,)


def test_warming_up_a_byte_tracker_keeps_its_state():
    tracker = ByteTracker()
    tracker.warm_up()
    assert len(tracker.tracks()) == 0
    assert np.isnan(tracker.tracks().time_s)


def test_a_function_creates_a_tracker_for_each_stream():
    made, results = [], []
    report = streamdet.run(
        {"a": SCENE, "b": SCENE},
        tracker=lambda: made.append(CountingTracker()) or made[-1],
        detector={"conf": 0.3},
        on_result=results.append,
    )
    assert [tracker.updates for tracker in made] == [stream.shown for stream in report.streams] == [12, 12]
    assert all((result.detections.track_ids >= 1000).all() for result in results)
    assert all(tracker.lowest > 0.3 for tracker in made), "weak detections are only for trackers that take options"


def test_the_class_byte_tracker_is_such_a_function():
    (*_, last) = streamdet.stream(SCENE, tracker=streamdet.ByteTracker)
    assert len(last.detections) > 0


def test_still_images_are_tracked_by_the_callers_own_tracker(tmp_path):
    import cv2

    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((96, 96, 3), np.uint8))
    made = []
    list(streamdet.stream(tmp_path, "synthetic-shapes", tracker=lambda: made.append(CountingTracker()) or made[-1]))
    assert [tracker.updates for tracker in made] == [2]


@pytest.mark.parametrize(
    ("tracker", "message"),
    [
        (CountingTracker(), "expected a name, options, or a function .* got a CountingTracker"),
        (lambda: object(), r"expected an object with update\(\) and predict\(\), got a object"),
        (lambda: SHARED, "every stream needs its own, but the function returned the same tracker"),
    ],
    ids=["object", "no tracker", "one for all"],
)
def test_mistakes_with_trackers_are_errors(tracker, message):
    with pytest.raises(UsageError, match=f"tracker: {message}"):
        streamdet.run([SCENE, SCENE], tracker=tracker)


def test_auto_and_bytetrack_create_byte_trackers():
    for kind in ("auto", "bytetrack"):
        prepared = build(parse_config({"sources": [SCENE], "tracker": {"kind": kind}}))
        assert isinstance(prepared.pipeline.streams[0].plan.tracker, ByteTracker)
        prepared.close()
