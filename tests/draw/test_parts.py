"""Colors, text, trails and label positions."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.color import ColorSpace
from streamdet.draw.canvas import canvas_for
from streamdet.draw.label_placement import place_label
from streamdet.draw.palette import color_of, contrast, luminance, text_color_on
from streamdet.draw.text import Typeface, join_glyphs, printable
from streamdet.draw.trails import Trails, taper, taper_reference
from streamdet.picture import Picture, PixelFormat
from streamdet.types import Detections

TYPEFACE = Typeface(13)


def test_neighboring_numbers_have_distinct_colors():
    colors = np.array([color_of(number) for number in range(60)], float)
    assert all(np.linalg.norm(one - other) > 80 for one, other in pairwise(colors))
    assert len({color_of(number) for number in range(60)}) == 60


@given(st.integers(0, 2**62))
def test_text_is_readable_on_every_color(number):
    color = color_of(number)
    assert all(0 <= channel <= 255 for channel in color)
    assert contrast(color, text_color_on(color)) >= 4.5  # WCAG 2.2 level AA
    assert 0.1 < luminance(color) < 0.95


@given(st.text(max_size=80))
def test_any_text_becomes_a_mask(text):
    typeface = Typeface(13)
    glyphs = typeface.glyphs(text)
    assert glyphs.mask.shape[0] == typeface.height_px
    assert glyphs.mask.flags.c_contiguous
    assert 1 <= glyphs.advance < 80 * 13 * 3


@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.BGR24])
@given(
    st.lists(st.text("a#0. Å", max_size=6), min_size=1, max_size=4),
    st.integers(2, 5),
    st.tuples(*[st.integers(-9, 60)] * 2),
)
def test_joined_pieces_equal_separate_ones(format, words, gap, at):
    glyphs = [TYPEFACE.glyphs(word) for word in words]
    together, alone = (
        Picture.from_bgr(np.full((40, 64, 3), 90, np.uint8), ColorSpace()).copy(format) for _ in range(2)
    )
    (left, top), ink = at, (250, 240, 30)
    canvas_for(together).stamp(join_glyphs(glyphs, gap), left, top, ink)
    for g in glyphs:
        canvas_for(alone).stamp(g.mask, left, top, ink)
        left += g.advance + gap
    for plane, wanted in zip(together.planes, alone.planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "line\nbreak", "日本 ÄÖß", "🙂", "", " ", "x" * 500])
def test_unusual_names_can_be_drawn(text):
    assert "\n" not in printable(text)
    assert Typeface(11).glyphs(text).mask.shape[1] < 64 * 11 * 2


def test_without_the_outline_font_of_opencv_5_text_is_still_drawn(monkeypatch):
    monkeypatch.delattr(cv2, "FontFace", raising=False)
    typeface = Typeface(16)
    assert typeface.glyphs("person").mask.max() > 200
    assert np.array_equal(typeface.glyphs("日本").mask, typeface.glyphs("??").mask)


def test_concurrent_streams_do_not_change_each_others_font_weight():
    weights = [600, 500, 600, 500]
    words = [f"{word} {number}" for word in ("person", "bicycle", "Ågjy") for number in range(300)]

    def written(weight):
        typeface = Typeface(13, weight)
        return [typeface.glyphs(word).mask for word in words]

    expected = {weight: written(weight) for weight in set(weights)}
    with ThreadPoolExecutor(len(weights)) as pool:
        for weight, masks in zip(weights, pool.map(written, weights), strict=True):
            for mask, alone in zip(masks, expected[weight], strict=True):
                np.testing.assert_array_equal(mask, alone)


def test_pieces_are_cached_and_the_oldest_removed():
    typeface = Typeface(12, capacity=3)
    first = typeface.glyphs("a")
    assert typeface.glyphs("a") is first
    for text in "bcd":
        typeface.glyphs(text)
    assert typeface.glyphs("a") is not first


def test_ink_stays_inside_the_mask_at_every_size():
    for size in (10, 11, 15, 19, 33, 60):
        mask = Typeface(size).glyphs("Ågjpqy|Wm#0.87").mask
        assert mask.max() == 255, size
        assert mask[:, 0].max() < 255, size
        columns = np.flatnonzero(mask.any(axis=0))
        assert columns[-1] == mask.shape[1] - 1, size
        assert 0.8 * size < mask.shape[0] < 1.8 * size, size


BOX = st.tuples(*[st.integers(-200, 900)] * 2, *[st.integers(0, 300)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(
    BOX, st.integers(1, 200), st.integers(1, 40), st.integers(1, 700), st.integers(1, 500), st.lists(BOX, max_size=6)
)
def test_labels_stay_inside_the_picture_and_report_whether_they_are_free(
    box, width, height, picture_w, picture_h, taken
):
    rect, free = place_label(box, (width, height), (picture_w, picture_h), taken)
    assert rect[2] - rect[0] == width
    assert rect[3] - rect[1] == height
    shared = [np.minimum(rect[2:], other[2:]) - np.maximum(rect[:2], other[:2]) for other in taken]
    clear = all((wide <= 0 or high <= 0) for wide, high in shared)
    empty = any(other[0] == other[2] or other[1] == other[3] for other in taken)
    assert free == clear or empty
    if width <= picture_w and height <= picture_h:
        assert rect[0] >= 0 <= rect[1]
        assert rect[2] <= picture_w
        assert rect[3] <= picture_h


def at(x, y, track_id=5):
    box = np.array([[x - 5, y - 20, x + 5, y]], np.float32)
    return Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32), np.array([track_id], np.int64))


def test_trails_follow_true_time_and_expire():
    trails = Trails(kept_s=1.0)
    for step in range(30):
        trails.update(at(10 * step, 50), 0.1 * step, 480)
    path = trails.path(5, 2.9, 3.0)
    assert path is not None
    assert path[-1, :2].tolist() == [290, 50]
    assert path[0, 0] >= 190  # one second back, not the number of frames
    assert (np.diff(path[:, 3]) > 0).all()
    trails.update(Detections.empty(), 4.5, 480)
    assert len(trails) == 0


def test_trails_restart_when_time_goes_back():
    trails = Trails(kept_s=5.0)
    trails.update(at(10, 10), 3.0, 480)
    trails.update(at(400, 400), 0.0, 480)
    assert trails.path(5, 0.0, 2.0) is None


@given(st.lists(st.tuples(st.floats(0.001, 0.6), st.floats(0, 640), st.booleans()), max_size=250), st.floats(0.1, 30))
def test_trails_equal_a_plain_list_of_points(steps, kept_s):
    trails, expected, time_s, x = Trails(kept_s), [], 0.0, 0.0
    for wait_s, to, jumps in steps:
        time_s, x = time_s + wait_s, to if jumps else x + 0.1
        detections = at(x, 50)
        trails.update(detections, time_s, 480)
        left, _, right, bottom = detections.boxes_xyxy[0].tolist()
        middle = (left + right) / 2
        if len(expected) > 1 and abs(expected[-2][1] - middle) + abs(expected[-2][2] - bottom) < 0.006 * 480:
            expected.pop()
        expected.append((time_s, middle, bottom))
        expected = [point for point in expected if point[0] >= time_s - kept_s]
        path = trails.path(5, time_s, 3.0)
        assert (path is None) is (len(expected) < 3)
        if path is not None:
            np.testing.assert_allclose(path, taper_reference(np.array(expected), time_s, kept_s, 3.0))


def test_no_trail_without_a_track_or_motion():
    trails = Trails(kept_s=5.0)
    for step in range(5):
        trails.update(at(10 + 0.1 * step, 10), 0.1 * step, 480)
        trails.update(at(50 * step, 10, track_id=-1), 0.1 * step, 480)
    assert len(trails) == 1
    assert trails.path(5, 0.4, 2.0) is None


@given(st.lists(st.tuples(*[st.floats(-1e4, 1e4)] * 3), min_size=1, max_size=9), st.floats(-1e4, 1e4))
def test_taper_equals_its_reference(points, time_s):
    path = np.column_stack([np.array(points), np.zeros(len(points))])
    expected = taper_reference(path, time_s, 2.0, 3.0)
    taper(path, time_s, 2.0, 3.0)
    np.testing.assert_allclose(path, expected, atol=1e-9)
