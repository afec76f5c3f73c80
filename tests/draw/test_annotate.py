import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet import kernels
from streamdet.color import ColorSpace, Matrix
from streamdet.draw.annotate import AnnotateOptions, BoxAnnotator
from streamdet.draw.palette import color_of
from streamdet.errors import UsageError
from streamdet.picture import Picture, PixelFormat
from streamdet.types import Detections

HD = ColorSpace(Matrix.BT709)


def blank(width, height, format=PixelFormat.I420, color=HD):
    return Picture.from_bgr(np.full((height, width, 3), 110, np.uint8), color).copy(format)


def objects(boxes, class_ids=None, track_ids=None, labels=("person", "car")):
    n = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(n, 4),
        np.full(n, 0.87, np.float32),
        np.array(class_ids if class_ids is not None else [0] * n, np.int32),
        np.array(track_ids if track_ids is not None else range(n), np.int64),
        labels,
    )


def is_color(picture, x, y, rgb, tolerance=4):
    return np.abs(picture.bgr()[y, x, ::-1].astype(int) - rgb).max() <= tolerance


@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (1920, 1080), (3840, 2160)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.BGR24])
def test_outline_and_label_have_the_tracks_color_at_every_size(size, format):
    width, height = size
    picture = blank(width, height, format)
    box = [0.25 * width, 0.375 * height, 0.75 * width, 0.875 * height]
    BoxAnnotator().draw(picture, objects([box], track_ids=[3]), time_s=0.0)
    left, top, right, bottom = (round(value) for value in box)
    for x, y in ((left - 1, height // 2), (right, height // 2), (width // 2, bottom), (width - width // 3, top - 1)):
        assert is_color(picture, x, y, color_of(3)), (x, y)
    assert is_color(picture, left, top - 5, color_of(3)), "label above the box, flush with its left edge"
    assert is_color(picture, width // 2, height // 2, (110, 110, 110)), "inside stays untouched"


def test_lines_cover_whole_chroma_samples():
    picture = blank(640, 360)
    BoxAnnotator(AnnotateOptions(labels=False, ids=False, scores=False)).draw(
        picture, objects([[101.3, 77.7, 203.1, 181.9]], track_ids=[14]), time_s=0.0
    )
    for plane in (1, 2):
        assert len(np.unique(picture.visible(plane))) == 2, "either background or line, nothing in between"


def test_both_formats_look_the_same():
    boxes = objects([[30, 60, 150, 200], [140, 50, 260, 180], [0, 0, 40, 30]], class_ids=[0, 1, 1])
    results = []
    for format in (PixelFormat.I420, PixelFormat.BGR24):
        picture, annotator = blank(320, 240, format), BoxAnnotator()
        annotator.draw(picture, boxes, time_s=0.0, status="cam  30.0 fps")
        picture = blank(320, 240, format)
        annotator.draw(picture, boxes, time_s=0.1, status="cam  30.0 fps")
        results.append(picture.copy(PixelFormat.I420))
    for plane, tolerance in enumerate((3, 4, 4)):
        difference = np.abs(results[0].visible(plane).astype(int) - results[1].visible(plane).astype(int))
        assert np.quantile(difference, 0.999) <= tolerance


def test_disabled_elements_are_not_drawn():
    nothing = AnnotateOptions(boxes=False, labels=False, ids=False, scores=False, trails=False, status=False)
    picture = blank(320, 240)
    before = picture.copy()
    BoxAnnotator(nothing).draw(picture, objects([[30, 60, 150, 200]]), time_s=0.0, status="cam")
    assert all(np.array_equal(picture.visible(k), before.visible(k)) for k in range(3))


@pytest.mark.parametrize(
    ("color_by", "track_id", "expected"),
    [("track", 7, 7), ("class", 7, 1), ("track", -1, 1), ("class", -1, 1)],
)
def test_color_follows_track_or_class(color_by, track_id, expected):
    picture = blank(320, 240)
    annotator = BoxAnnotator(AnnotateOptions(color_by=color_by))
    annotator.draw(picture, objects([[60, 90, 200, 200]], class_ids=[1], track_ids=[track_id]), time_s=0.0)
    assert is_color(picture, 59, 150, color_of(expected))


def test_a_label_at_the_top_border_is_inside_its_box():
    picture = blank(640, 360)
    BoxAnnotator().draw(picture, objects([[100, 1, 400, 300]], track_ids=[2]), time_s=0.0)
    assert is_color(picture, 99, 6, color_of(2))


def test_labels_of_neighbors_do_not_cover_each_other():
    picture = blank(640, 360)
    boxes = [[100, 100, 180, 200], [110, 102, 190, 202], [120, 98, 200, 198]]
    BoxAnnotator(AnnotateOptions(boxes=False, trails=False)).draw(picture, objects(boxes), time_s=0.0)
    rgb = picture.bgr()[..., ::-1].astype(int)
    areas = [(np.abs(rgb - color_of(number)).max(axis=2) <= 4).sum() for number in range(3)]
    assert min(areas) > 300
    assert min(areas) > 0.5 * max(areas)


def test_a_moving_track_has_a_trail_of_limited_length():
    annotator = BoxAnnotator(AnnotateOptions(boxes=False, labels=False, ids=False, scores=False, trail_s=0.5))
    for step in range(40):
        picture = blank(640, 360)
        left = 8 * step
        annotator.draw(picture, objects([[left, 100, left + 40, 200]], track_ids=[9]), time_s=step / 30)
    changed = np.flatnonzero((picture.visible(0) != blank(640, 360).visible(0)).any(axis=0))
    assert 39 * 8 + 15 < changed.max() < 39 * 8 + 30, "it starts at the middle of the box"
    assert changed.min() > 39 * 8 + 20 - 8 * 15 - 12, "and is half a second long"


ANY = st.one_of(
    st.floats(-3000, 3000, width=32),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 3e38, -3e38, 0.0, 0.5]),
)


@given(
    st.lists(st.tuples(ANY, ANY, ANY, ANY), max_size=6),
    st.sampled_from([(1, 1), (2, 3), (17, 9), (64, 64), (5, 300)]),
    st.sampled_from([PixelFormat.I420, PixelFormat.BGR24]),
    st.sampled_from([float("nan"), 0.0, 1e9]),
)
def test_any_boxes_can_be_drawn(boxes, size, format, score):
    found = objects(boxes, track_ids=[k % 3 - 1 for k in range(len(boxes))], labels=("日本\n", ""))
    found.scores[:] = score
    found.class_ids[:] = np.arange(len(boxes)) - 1
    annotator = BoxAnnotator()
    for step in range(2):
        annotator.draw(blank(*size, format), found, time_s=0.1 * step, status="status\ud800")


@pytest.mark.parametrize(
    "wrong",
    [{"trail_s": -1.0}, {"trail_s": float("nan")}, {"thickness_px": -2}, {"text_px": 9999}, {"color_by": "mood"}],
)
def test_invalid_options_are_rejected(wrong):
    (key,) = wrong
    with pytest.raises(UsageError, match=key):
        AnnotateOptions(**wrong)


@pytest.mark.parametrize("options", [{"trail_s": 0.0}, {"thickness_px": 100, "text_px": 400}, {"thickness_px": 3}])
def test_extreme_options_can_be_drawn(options):
    annotator = BoxAnnotator(AnnotateOptions(**options))
    for step in range(4):
        annotator.draw(blank(90, 61), objects([[9 * step, 5, 40, 50]]), time_s=step / 30, status="ok")


def test_nothing_compiles_after_warm_up():
    annotator = BoxAnnotator()
    annotator.warm_up()
    before = kernels.compilations()
    for format in (PixelFormat.I420, PixelFormat.BGR24):
        for step in range(4):
            boxes = [[20.5 + 9 * step, 20, 150, 150], [0, 0, 5, 5], [200, 100, 500, 300]]
            annotator.draw(blank(322, 241, format), objects(boxes, class_ids=[0, 1, 5]), time_s=step / 30, status="x")
    assert kernels.compilations() == before
