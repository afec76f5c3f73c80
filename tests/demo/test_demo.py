"""The demo on a real run: its measurements are right, and broken parts are detected."""

import json
import os
import re
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
CHECKS = ["detector", "tracking", "drawing", "timing", "frame accounting", "recording"]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The result of two seconds of a scene that the detector was not trained on."""
    output = tmp_path_factory.mktemp("demo") / "demo.mp4"
    demo = Demo(DemoOptions(output, seconds=2, seed=21, size="960x540", detector=CPU))
    demo.prepared.run()
    return demo.measure()


def test_too_few_objects_are_rejected():
    with pytest.raises(UsageError, match="3 objects are too few for reliable measurements: give 4 or more"):
        DemoOptions(objects=3)


def test_all_checks_pass(result):
    found = run_checks(result)
    assert [part.name for part in found if not part.passed] == []
    assert [part.name for part in found] == CHECKS
    assert summary(found).startswith("all checks passed: streamdet works on this machine")


def test_measurements_are_of_this_run(result):
    (stream,) = result.report.streams
    assert (stream.captured, stream.shown, stream.dropped) == (60, 60, {})
    assert result.recording == RecordingCheck(60, 60, 60)
    assert [frame.number for frame in result.shown] == list(range(60))
    assert result.tracking.frames == 60
    assert result.tracking.identities >= 8
    assert 0 < stream.sinks[0].age.p50_ms <= stream.sinks[0].age.p99_ms


def test_a_detector_that_swaps_classes_fails(result):
    swapped = [
        replace(frame, detections=replace(frame.detections, class_ids=(frame.detections.class_ids + 1) % 3))
        for frame in result.shown
    ]
    scene = StreetScene(StreetOptions(seed=21, width=960, height=540))
    tracking = evaluate_tracking(scene, swapped)
    assert tracking.idf1 < 0.05
    found = run_checks(replace(result, tracking=tracking))
    assert [part.name for part in found if not part.passed] == ["tracking"]
    assert summary(found).startswith("failed checks: tracking;")


def test_boxes_of_another_frame_lower_mota(result):
    """Boxes that are one second late do not pass as right."""
    late = [replace(frame, number=frame.number + 30) for frame in result.shown]
    scene = StreetScene(StreetOptions(seed=21, width=960, height=540))
    assert evaluate_tracking(scene, late).mota < result.tracking.mota - 0.3


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
def test_the_broken_part_is_named(result, change, name):
    assert [part.name for part in run_checks(replace(result, **change)) if not part.passed] == [name]


def test_each_check_is_one_line_when_piped(result, capsys):
    found = run_checks(result)
    _print(found, summary(found), quiet=False)
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(" {2,}", line)[1] for line in lines[:-1]] == [part.name for part in found]


def test_a_lost_frame_fails_the_frame_accounting(result):
    (stream,) = result.report.streams
    for broken in (replace(stream, shown=59), replace(stream, shown=59, dropped={"late": 1})):
        report = replace(result.report, streams=[broken])
        assert [part.name for part in run_checks(replace(result, report=report)) if not part.passed] == [
            "frame accounting"
        ]


def test_closing_the_window_early_is_no_failure(result):
    (stream,) = result.report.streams
    window = replace(stream.sinks[0], name="window:street", received=60, written=57, dropped={"stopped": 3})
    ended = replace(stream, captured=62, dropped={"stopped": 2}, sinks=[*stream.sinks, window])
    assert all(part.passed for part in run_checks(replace(result, report=replace(result.report, streams=[ended]))))
    late = replace(ended, sinks=[*stream.sinks, replace(window, dropped={"queue_full": 3})])
    found = run_checks(replace(result, report=replace(result.report, streams=[late])))
    assert [part.name for part in found if not part.passed] == ["frame accounting"]


def test_misplaced_outlines_are_detected():
    picture = StreetScene(StreetOptions(seed=3, width=640, height=360)).render(10)
    boxes = np.array([[100, 80, 180, 240], [300, 150, 420, 220]], np.float32)
    detections = Detections(boxes, np.ones(2, np.float32), np.zeros(2, np.int32))
    drawn = picture.copy()
    BoxAnnotator().draw(drawn, detections, time_s=0.0)
    assert outline_coverage(picture, drawn, detections) > 0.9
    assert outline_coverage(picture, drawn, replace(detections, boxes_xyxy=boxes + np.float32(8))) < 0.5
    assert outline_coverage(picture, picture.copy(), detections) == 0


def test_wrong_timestamps_of_a_recording_are_detected(result):
    assert check_recording(result.options.output, Fraction(25)).on_time < 60


def test_the_recording_has_colors_and_contrast(result):
    from streamdet.sources.factory import create_source

    with create_source(str(result.options.output)) as source:
        source.open()
        picture = list(source.frames())[30].picture.copy(PixelFormat.BGR24)
    assert isinstance(picture, Picture)
    bgr = picture.bgr().astype(int)
    assert bgr.std() > 30
    assert (bgr.max(axis=2) - bgr.min(axis=2) > 120).mean() > 0.01


def run_demo(*arguments, folder):
    command = [sys.executable, "-m", "streamdet", "demo", *arguments]
    environment = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=110, env={**os.environ, **environment}
    )


def test_check_option_passes_and_leaves_no_files(tmp_path):
    done = run_demo("--check", "--seconds", "1", "--size", "640x360", "-d", "cpu", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = json.loads(done.stdout)
    assert printed["passed"] is True
    assert printed["provider"] == "cpu"
    assert (printed["captured"], printed["shown"], printed["recording"]["on_time"]) == (30, 30, 30)
    assert list(tmp_path.iterdir()) == []


def test_check_option_fails_with_a_broken_detector(tmp_path):
    """With shuffled weights the exit code is 1, and the failed parts are named."""
    program = """
import numpy as np, onnx
from streamdet.models import bundled
from streamdet.models.onnx_file import ModelFile
original = bundled.bundled_model
def broken(name):
    spec, file = original(name)
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
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed checks: detector, tracking" in done.stdout
