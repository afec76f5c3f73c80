"""The region that the detector gets, and its boxes in the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.picture import Picture
from streamdet.pipeline.admission import DetectOptions
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.region import crop, in_picture
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.types import Detections
from tests.waiting import wait_until

from .fakes import (
    CountingSource,
    FakeDetector,
    ListSink,
    ScriptedGate,
    SteppedSource,
    run_plan,
)

pytestmark = pytest.mark.timeout(60)


class FullPictureDetector(FakeDetector):
    """Detects one object that fills the picture, and remembers the sizes of the pictures."""

    def _one(self, picture):
        self.sizes = getattr(self, "sizes", set()) | {(picture.width, picture.height)}
        found = super()._one(picture)
        found.detections.boxes_xyxy[:] = [0, 0, picture.width, picture.height]
        return found


@pytest.mark.parametrize("mode", TimingMode)
def test_the_detector_gets_the_region_only_and_boxes_are_in_the_frame(mode):
    detector, sink = FullPictureDetector(), ListSink()
    detect = DetectOptions(region=(0.25, 0.5, 1, 1))
    gate = ScriptedGate(open_at=range(20))
    source = SteppedSource(20, live=mode is TimingMode.LIVE)  # pictures of 8 x 6
    pipeline = Pipeline([StreamPlan(source, [sink], mode, detect=detect, gate=gate)], detector)
    pipeline.start()
    for number in range(20):
        source.step()
        wait_until(lambda count=number + 1: pipeline.streams[0].stats.infer_ms.count == count)
    pipeline.wait()
    assert detector.sizes == {(6, 4)}  # 8 x 0.25 = 2 to 8; 6 x 0.5 = 3, on an even row: 2 to 6
    boxes = [r.detections.boxes_xyxy.tolist() for r in sink.results if len(r.detections)]
    assert boxes
    assert all(box == [[2, 2, 8, 6]] for box in boxes)


def test_the_gate_sees_the_region_only():
    gate = ScriptedGate(open_at=range(5))
    detect = DetectOptions(region=(0, 0, 0.5, 1), gate=True)
    run_plan(StreamPlan(CountingSource(5), [ListSink()], detect=detect, gate=gate))
    assert set(gate.seen) == {(4, 6)}


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_crop_covers_the_requested_region(width, height, horizontal, vertical):
    (left, right), (top, bottom) = sorted(horizontal), sorted(vertical)
    if left == right or top == bottom:
        return
    picture = Picture.from_bgr(np.zeros((height, width, 3), np.uint8))
    part, (x, y) = crop(picture, (left, top, right, bottom))
    assert x % 2 == y % 2 == 0
    assert x <= left * width
    assert y <= top * height
    assert right * width - 1e-4 <= x + part.width <= width
    assert bottom * height - 1e-4 <= y + part.height <= height


def test_boxes_of_a_region_are_moved_to_the_picture():
    found = Detections(np.array([[1, 2, 3, 4]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
    assert in_picture(found, (10, 20)).boxes_xyxy.tolist() == [[11, 22, 13, 24]]
    assert in_picture(found, (10, 20)).boxes_xyxy.dtype == np.float32
    assert in_picture(found, (0, 0)) is found
