"""The caller's own sinks and detectors in `streamdet.run` and `streamdet.stream`."""

import threading

import numpy as np
import pytest

import streamdet
from streamdet.errors import SinkError, UsageError

SCENE = "synthetic:shapes?frames=12&size=320x240&seed=3"


class OwnSink(streamdet.Sink):
    """Remembers its calls and their threads."""

    def __init__(self, name="own", fail_at=None):
        super().__init__(name)
        self.calls = []
        self.indices = []
        self.threads = set()
        self.fail_at = fail_at

    def open(self, info):
        self.calls.append(("open", info.name))
        self.threads.add(threading.current_thread())

    def write(self, result):
        if result.frame.index == self.fail_at:
            raise SinkError("own: full")
        self.indices.append(result.frame.index)
        self.threads.add(threading.current_thread())

    def close(self):
        self.calls.append(("close",))
        self.threads.add(threading.current_thread())


def test_a_sink_of_one_source_is_opened_written_and_closed_once():
    sink = OwnSink()
    report = streamdet.run(SCENE, sinks=[sink])
    assert sink.calls == [("open", "synthetic"), ("close",)]
    assert sink.indices == list(range(12))
    assert len(sink.threads) == 1
    (counted,) = report.streams[0].sinks
    assert (counted.name, counted.received, counted.written, counted.dropped) == ("own", 12, 12, {})


def test_sinks_of_several_sources_come_from_a_function():
    made = {}

    def make(name):
        made[name] = [OwnSink(f"{name}-1"), OwnSink(f"{name}-2")]
        return made[name]

    report = streamdet.run({"a": SCENE, "b": SCENE}, sinks=make, outputs="null:")
    assert list(made) == ["a", "b"]
    for stream in report.streams:
        assert [sink.name for sink in stream.sinks] == ["null:", f"{stream.name}-1", f"{stream.name}-2"]
        assert [sink.written for sink in stream.sinks] == [12, 12, 12]
        for sink in made[stream.name]:
            assert sink.calls == [("open", stream.name), ("close",)]
            assert sink.indices == list(range(12))


def test_a_function_also_serves_one_source():
    sink = OwnSink()
    streamdet.run({"door": SCENE}, sinks=lambda name: [sink] if name == "door" else [])
    assert len(sink.indices) == 12


def test_iterating_also_writes_to_own_sinks():
    sink = OwnSink()
    results = list(streamdet.stream(SCENE, sinks=[sink]))
    assert [result.frame.index for result in results] == sink.indices == list(range(12))
    assert sink.calls == [("open", "synthetic"), ("close",)]


def test_a_sink_that_needs_annotated_pictures_gets_them():
    pictures = []

    class Pictures(OwnSink):
        needs_annotated = True

        def write(self, result):
            pictures.append(result.annotated)

    streamdet.run(SCENE, sinks=[Pictures()])
    assert len(pictures) == 12
    assert all(picture is not None for picture in pictures)


def test_an_error_of_an_own_sink_is_raised_after_it_was_closed():
    sink = OwnSink(fail_at=5)
    with pytest.raises(SinkError, match="own: full"):
        streamdet.run(SCENE, sinks=[sink])
    assert sink.calls == [("open", "synthetic"), ("close",)]
    assert sink.indices == list(range(5))


SHARED = OwnSink()


def main_thread_sink():
    sink = OwnSink("screen")
    sink.needs_main_thread = True
    return sink


@pytest.mark.parametrize(
    ("use", "sources", "sinks", "message"),
    [
        (streamdet.run, [SCENE, SCENE], [OwnSink()], "a list of sinks serves one source, and there are 2: give a func"),
        (streamdet.run, [SCENE, SCENE], lambda name: [SHARED], "every stream needs its own, but the same"),
        (streamdet.run, SCENE, [2 * [OwnSink()]], "expected objects of a subclass of streamdet.Sink, got a list"),
        (streamdet.run, SCENE, 2 * [OwnSink()], "every stream needs its own, but the same sink was given twice"),
        (streamdet.stream, SCENE, [main_thread_sink()], "sink screen needs the main thread: use streamdet.run"),
    ],
    ids=["list for several", "one for all", "not a sink", "one twice", "main thread"],
)
def test_mistakes_with_sinks_are_errors(use, sources, sinks, message):
    with pytest.raises(UsageError, match=message):
        use(sources, sinks=sinks)


def test_a_sink_that_needs_the_main_thread_runs_there():
    sink = main_thread_sink()
    streamdet.run(SCENE, sinks=[sink])
    assert sink.threads == {threading.main_thread()}
    assert sink.indices == list(range(12))


class OneBox:
    """Finds one box of score 0.4 in every picture."""

    max_batch = 1

    def detect(self, pictures):
        box = np.array([[10, 20, 60, 90]], np.float32)
        scores, class_ids = np.array([0.4], np.float32), np.zeros(1, np.int32)
        return [streamdet.Detected(streamdet.Detections(box, scores, class_ids)) for _ in pictures]


def test_an_own_detector_may_be_the_model():
    detector = OneBox()
    assert isinstance(detector, streamdet.Detector)
    results = []
    report = streamdet.run(SCENE, detector, tracker="none", on_result=results.append)
    assert [len(result.detections) for result in results] == 12 * [1]
    assert (report.streams[0].inferred, report.provider) == (12, "")


@pytest.mark.parametrize(("conf", "tracks"), [(0.3, 1), (None, 0)])
def test_the_threshold_of_an_own_detector_is_stated_or_one_half(conf, tracks):
    *_, last = streamdet.stream(SCENE, OneBox(), detector={"conf": conf})
    assert len(last.detections) == tracks, "its score is 0.4"


def test_a_loaded_detector_stays_open_and_keeps_its_thresholds():
    with streamdet.load_detector("synthetic-shapes", streamdet.DetectorOptions(conf=0.4)) as detector:
        rules = detector.rules
        first = streamdet.run(SCENE, detector)
        assert detector.rules == rules
        second = streamdet.run(SCENE, detector, tracker=streamdet.ByteTracker)
        assert first.provider == second.provider == detector.provider
        assert (first.streams[0].inferred, second.streams[0].inferred) == (12, 12)
        assert detector.rules == rules


def test_a_config_object_may_be_the_source():
    config = streamdet.Config(sources=[])
    with pytest.raises(UsageError, match="no source given"):
        streamdet.run(config)
    with pytest.raises(UsageError, match="a Config is complete: set mode, model, outputs in it"):
        streamdet.run(config, "synthetic-shapes", outputs="null:", mode="live")


def test_a_config_file_runs(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"sources: {{door: '{SCENE}'}}\n")
    report = streamdet.run(streamdet.load_config(path))
    assert [(stream.name, stream.shown) for stream in report.streams] == [("door", 12)]
