import json
from dataclasses import replace

import pytest

import streamdet
from streamdet.errors import SourceError, UsageError

SCENE = "synthetic:?frames=40&size=320x240&seed=3"


def test_results_are_iterated_in_order_with_tracked_boxes():
    results = list(streamdet.stream(SCENE))
    assert [r.frame.index for r in results] == list(range(40))
    last = results[-1]
    assert len(last.detections) > 0
    assert set(last.detections.class_names) <= {"disc", "box", "triangle"}
    assert (last.detections.track_ids >= 0).all()
    assert last.annotated is None


def test_annotate_draws_on_a_copy():
    result = next(iter(streamdet.stream(SCENE, annotate=True)))
    assert result.annotated is not None
    assert (result.picture.bgr() != result.frame.picture.bgr()).any()


def test_leaving_the_loop_closes_the_outputs(tmp_path):
    output = tmp_path / "out.jsonl"
    for result in streamdet.stream("synthetic:?frames=0&size=320x240", outputs=[str(output)]):
        if result.frame.index == 20:
            break
    del result
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["index"] for record in records[:21]] == list(range(21))


def test_run_calls_back_and_reports():
    seen = []
    report = streamdet.run(SCENE, on_result=lambda result: seen.append(result.frame.index))
    assert seen == list(range(40))
    (stream,) = report.streams
    assert (stream.captured, stream.shown, stream.inferred, stream.dropped) == (40, 40, 40, {})
    assert report.provider


def test_a_stage_changes_results(tmp_path):
    output = tmp_path / "out.jsonl"
    streamdet.run(SCENE, outputs=[str(output)], stages=[lambda r: replace(r, detections=r.detections[:0])])
    assert all(json.loads(line)["detections"] == [] for line in output.read_text().splitlines())


def test_an_error_in_a_callback_is_raised():
    def broken(result):
        raise KeyError("mine")

    with pytest.raises(KeyError):
        streamdet.run(SCENE, on_result=broken)


def test_several_sources_share_one_detector_and_get_files_of_their_own(tmp_path):
    scenes = {"a": SCENE, "b": SCENE.replace("seed=3", "seed=4")}
    report = streamdet.run(scenes, outputs=[str(tmp_path / "out.jsonl")])
    assert sorted(path.name for path in report.files) == ["out-a.jsonl", "out-b.jsonl"]
    assert [stream.shown for stream in report.streams] == [40, 40]


def test_equal_sources_get_different_names():
    report = streamdet.run([SCENE, SCENE])
    assert [stream.name for stream in report.streams] == ["synthetic", "synthetic-2"]


def test_live_mode_answers_for_every_frame_it_captured():
    report = streamdet.run("synthetic:?frames=45&size=320x240&live=1&fps=30", outputs=["null:"])
    (stream,) = report.streams
    assert stream.mode == "live"
    assert 0 < stream.captured <= 45  # a busy machine comes too late for some, as with a camera
    assert stream.shown + sum(stream.dropped.values()) == stream.captured
    (sink,) = stream.sinks
    assert sink.written + sum(sink.dropped.values()) == sink.received == stream.shown


@pytest.mark.parametrize(
    ("source", "options", "error"),
    [
        ("nope.mp4", {}, SourceError),
        ([], {}, UsageError),
        ("synthetic:", {"mode": "warp"}, UsageError),
        ("synthetic:", {"detector": {"classes": ["discs"]}}, UsageError),
        ("synthetic:", {"show": True}, UsageError),
        ("synthetic:?objects=many", {}, UsageError),
    ],
)
def test_mistakes_are_told_before_anything_runs(source, options, error):
    with pytest.raises(error):
        streamdet.stream(source, **options)


def test_wrong_class_name_suggests_the_right_one():
    with pytest.raises(UsageError, match="disc"):
        streamdet.stream("synthetic:", detector={"classes": ["discs"]})
