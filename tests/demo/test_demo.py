"""The demonstration on a real run: what it says is so, and what is broken is found."""

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamdet.cli.demo import _print
from streamdet.demo.checks import run_checks, summary
from streamdet.demo.demo import Demo
from streamdet.demo.options import DemoOptions
from streamdet.demo.recording import RecordingCheck, check_recording
from streamdet.demo.shown_frames import evaluate_tracking, outline_coverage
from streamdet.draw.annotate import BoxAnnotator
from streamdet.errors import UsageError
from streamdet.inference.detector import DetectorOptions
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.scene import StreetScene
from streamdet.types import Detections

ROOT = Path(__file__).parent.parent.parent
CPU = DetectorOptions(provider="cpu")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Two seconds of a scene that the detector has never seen."""
    output = tmp_path_factory.mktemp("demo") / "demo.mp4"
    demo = Demo(DemoOptions(output, seconds=2, seed=21, size="960x540", detector=CPU))
    demo.job.run()
    return demo.measure()


def test_too_few_objects_to_judge_by_are_refused():
    with pytest.raises(UsageError, match="3 objects are too few to measure with: give 4 or more"):
        DemoOptions(objects=3)


def test_everything_is_as_it_should_be(shown):
    found = run_checks(shown)
    assert [part.name for part in found if not part.passed] == []
    assert [part.name for part in found] == ["detector", "tracking", "drawing", "time", "books", "recording"]
    assert summary(found).startswith("streamdet works here")


def test_the_numbers_are_of_this_run(shown):
    (stream,) = shown.report.streams
    assert (stream.captured, stream.shown, stream.dropped) == (60, 60, {})
    assert shown.recording == RecordingCheck(60, 60, 60)
    assert [frame.number for frame in shown.shown] == list(range(60))
    assert shown.tracking.frames == 60
    assert shown.tracking.identities >= 8
    assert 0 < stream.sinks[0].age.p50_ms <= stream.sinks[0].age.p99_ms


def test_a_detector_that_mixes_up_classes_does_not_pass(shown):
    mixed = [
        replace(frame, detections=replace(frame.detections, class_ids=(frame.detections.class_ids + 1) % 3))
        for frame in shown.shown
    ]
    scene = StreetScene(StreetOptions(seed=21, width=960, height=540))
    tracking = evaluate_tracking(scene, mixed)
    assert tracking.idf1 < 0.05
    found = run_checks(replace(shown, tracking=tracking))
    assert [part.name for part in found if not part.passed] == ["tracking"]
    assert summary(found).startswith("something is wrong here: tracking")


def test_frames_in_the_wrong_places_do_not_pass(shown):
    """Boxes of one frame on another: what stale boxes would come to."""
    late = [replace(frame, number=frame.number + 30) for frame in shown.shown]
    scene = StreetScene(StreetOptions(seed=21, width=960, height=540))
    assert evaluate_tracking(scene, late).mota < shown.tracking.mota - 0.3


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"recording": RecordingCheck(60, 59, 59)}, "recording"),
        ({"recording": RecordingCheck(60, 60, 58)}, "recording"),
        ({"recording": RecordingCheck(59, 59, 59)}, "recording"),
        ({"outline_coverage": 0.3}, "drawing"),
        ({"outline_coverage": float("nan")}, "drawing"),
    ],
)
def test_what_is_broken_is_named(shown, change, name):
    assert [part.name for part in run_checks(replace(shown, **change)) if not part.passed] == [name]


def test_what_is_found_stands_in_one_line_each_where_programs_read(shown, capsys):
    found = run_checks(shown)
    _print(found, summary(found), quiet=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == [part.name for part in found]


def test_a_lost_frame_is_named(shown):
    (stream,) = shown.report.streams
    for broken in (replace(stream, shown=59), replace(stream, shown=59, dropped={"late": 1})):
        report = replace(shown.report, streams=[broken])
        assert [part.name for part in run_checks(replace(shown, report=report)) if not part.passed] == ["books"]


def test_a_window_that_is_closed_early_is_no_fault(shown):
    (stream,) = shown.report.streams
    window = replace(stream.sinks[0], name="window:street", received=60, written=57, dropped={"stopped": 3})
    ended = replace(stream, captured=62, dropped={"stopped": 2}, sinks=[*stream.sinks, window])
    assert all(part.passed for part in run_checks(replace(shown, report=replace(shown.report, streams=[ended]))))
    late = replace(ended, sinks=[*stream.sinks, replace(window, dropped={"queue_full": 3})])
    found = run_checks(replace(shown, report=replace(shown.report, streams=[late])))
    assert [part.name for part in found if not part.passed] == ["books"]


def test_lines_beside_the_boxes_are_seen():
    picture = StreetScene(StreetOptions(seed=3, width=640, height=360)).render(10)
    boxes = np.array([[100, 80, 180, 240], [300, 150, 420, 220]], np.float32)
    detections = Detections(boxes, np.ones(2, np.float32), np.zeros(2, np.int32))
    drawn = picture.copy()
    BoxAnnotator().draw(drawn, detections, time_s=0.0)
    assert outline_coverage(picture, drawn, detections) > 0.9
    assert outline_coverage(picture, drawn, replace(detections, boxes_xyxy=boxes + np.float32(8))) < 0.5
    assert outline_coverage(picture, picture.copy(), detections) == 0


def test_a_recording_of_other_frames_is_seen(shown):
    assert check_recording(shown.options.output, Fraction(25)).on_time < 60


def test_the_picture_is_worth_looking_at(shown):
    """Not a proof of beauty: the recording has colours, contrast, and boxes in several of them."""
    from streamdet.sources.factory import create_source

    with create_source(str(shown.options.output)) as source:
        source.open()
        picture = list(source.frames())[30].picture.copy(PixelFormat.BGR24)
    assert isinstance(picture, Picture)
    bgr = picture.bgr().astype(int)
    assert bgr.std() > 30
    assert (bgr.max(axis=2) - bgr.min(axis=2) > 120).mean() > 0.01


def run_demo(*arguments, folder):
    command = [sys.executable, "-m", "streamdet", "demo", *arguments]
    environment = {"PYTHONPATH": str(ROOT)}
    import os

    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=110, env={**os.environ, **environment}
    )


def test_check_tests_an_installation_and_leaves_nothing(tmp_path):
    done = run_demo("--check", "--seconds", "1", "--size", "640x360", "-d", "cpu", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["passed"] is True
    assert said["provider"] == "cpu"
    assert (said["captured"], said["shown"], said["recording"]["on_time"]) == (30, 30, 30)
    assert list(tmp_path.iterdir()) == []


def test_check_fails_where_the_detector_is_broken(tmp_path):
    """The same command with weights that were mixed up: exit code 1, and the parts that fail are named."""
    first = """
import numpy as np, onnx
from streamdet.models import bundled
from streamdet.models.onnx_file import ModelFile
whole = bundled.bundled_model
def broken(name):
    spec, file = whole(name)
    model = onnx.load_model_from_string(file.data)
    for tensor in model.graph.initializer:
        if tensor.name == "stem1.weight":
            values = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values[::-1].copy(), tensor.name))
    return spec, ModelFile(model.SerializeToString(), name)
bundled.bundled_model = broken
import streamdet.models.catalog
streamdet.models.catalog.bundled_model = broken
import sys
sys.argv[1:] = ["demo", "--check", "--seconds", "1", "--size", "640x360", "-d", "cpu"]
from streamdet.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", first], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "something is wrong here: detector, tracking" in done.stdout
