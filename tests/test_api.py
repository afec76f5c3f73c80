"""The Python interface: `streamdet.run` and `streamdet.stream`."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import streamdet
import streamdet.api
from streamdet.build import build
from streamdet.errors import SourceError, UsageError

ROOT = Path(__file__).parent.parent
SCENE = "synthetic:shapes?frames=40&size=320x240&seed=3"


def test_stream_yields_results_in_order_with_track_ids():
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
    for result in streamdet.stream("synthetic:shapes?frames=0&size=320x240", outputs=[str(output)]):
        if result.frame.index == 20:
            break
    del result
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["index"] for record in records[:21]] == list(range(21))


def test_run_calls_on_result_and_returns_a_report():
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


def test_several_sources_share_the_detector_and_write_separate_files(tmp_path):
    scenes = {"a": SCENE, "b": SCENE.replace("seed=3", "seed=4")}
    report = streamdet.run(scenes, outputs=[str(tmp_path / "out.jsonl")])
    assert sorted(path.name for path in report.files) == ["out-a.jsonl", "out-b.jsonl"]
    assert [stream.shown for stream in report.streams] == [40, 40]


def test_equal_sources_get_different_names():
    report = streamdet.run([SCENE, SCENE])
    assert [stream.name for stream in report.streams] == ["synthetic", "synthetic-2"]


def test_live_mode_accounts_for_every_captured_frame():
    report = streamdet.run("synthetic:shapes?frames=45&size=320x240&live=1&fps=30", outputs=["null:"])
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
        ("synthetic:shapes?objects=many", {}, UsageError),
    ],
)
def test_mistakes_are_reported_before_the_run_starts(source, options, error):
    with pytest.raises(error):
        streamdet.stream(source, **options)


def test_wrong_class_name_suggests_the_right_one():
    with pytest.raises(UsageError, match="disc"):
        streamdet.stream("synthetic:", detector={"classes": ["discs"]})


@pytest.mark.parametrize("source", [Path("nope.mp4"), [Path("nope.mp4")], {"a": "nope.mp4"}], ids=str)
def test_paths_are_accepted_wherever_urls_are(source):
    with pytest.raises(SourceError, match=r"nope\.mp4: no such file"):
        streamdet.run(source, Path("nope.onnx"))


def test_a_single_output_need_not_be_a_list(tmp_path):
    report = streamdet.run(SCENE, outputs=tmp_path / "out.jsonl")
    assert report.files == [tmp_path / "out.jsonl"]


def test_a_camera_may_be_a_number():
    with pytest.raises(streamdet.StreamdetError, match="camera"):
        streamdet.run(97, "synthetic-shapes")


@pytest.mark.parametrize("uri", ["window:", "WINDOW:", "Window:front"])
def test_windows_are_refused_by_stream(uri):
    with pytest.raises(UsageError, match="main thread"):
        streamdet.stream(SCENE, outputs=[uri])


@pytest.mark.parametrize("config", [{"outputs": ["window:"]}, {"outputs": ["WINDOW:front"]}, {"show": True}])
def test_a_run_with_a_window_imports_opencv_before_its_sources(config):
    options = {"sources": [SCENE], **config}
    script = (
        "import sys\nfrom streamdet import build, config\n"
        "def create(config):\n    print('cv2' in sys.modules, 'av' in sys.modules)\n    sys.exit()\n"
        "build.create_sources = create\n"
        f"build.build(config.parse_config({options!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "True False\n", done.stderr


def test_the_number_of_yielded_results_equals_the_accounting(monkeypatch):
    jobs = []
    monkeypatch.setattr(streamdet.api, "build", lambda *a, **k: jobs.append(build(*a, **k)) or jobs[-1])
    yielded = 0
    for _ in streamdet.stream("synthetic:shapes?frames=0&size=320x240"):
        yielded += 1
        if yielded == 11:
            break
    del _
    (runner,) = jobs[0].pipeline.streams[0].sink_runners
    assert runner.counts.passed == yielded
    assert set(runner.counts.dropped) <= {"stopped"}


def test_callbacks_of_several_sources_never_overlap():
    inside = []
    overlaps = []

    def slow(result):
        inside.append(result)
        overlaps.append(len(inside) > 1)
        threading.Event().wait(0.002)
        inside.pop()

    streamdet.run([SCENE, SCENE], on_result=slow)
    assert len(overlaps) == 80
    assert not any(overlaps)


def test_still_images_are_tracked_only_on_request(tmp_path):
    for number, left in enumerate((10, 60)):
        bgr = np.full((180, 320, 3), 235, np.uint8)
        cv2.circle(bgr, (left + 40, 90), 30, (84, 84, 240), -1)
        cv2.imwrite(str(tmp_path / f"{number}.png"), bgr)
    for kind, tracked in (("auto", False), ("bytetrack", True)):
        results = list(streamdet.stream(tmp_path, "synthetic-shapes", tracker={"kind": kind}))
        assert [len(r.detections) for r in results] == [1, 1]
        assert all((r.detections.track_ids >= 0).all() == tracked for r in results)


def test_names_with_slashes_stay_inside_the_folder(tmp_path):
    streamdet.run({"a/../b": SCENE, "c": SCENE}, outputs=[str(tmp_path / "{source}.jsonl")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_.._b.jsonl", "c.jsonl"]


def test_passwords_stay_out_of_refused_outputs():
    for output in ("rtsp://u:c4nary@h/x", "u:c4nary@h/x"):
        with pytest.raises(UsageError) as caught:
            streamdet.run([SCENE, SCENE], outputs=[output])
        assert "c4nary" not in str(caught.value)
