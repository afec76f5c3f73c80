"""The synthetic source, beyond the contract of all sources; and the scene of shapes."""

import io
import time
from fractions import Fraction
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.color import ColorSpace
from streamdet.errors import UsageError
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.frame_code import write_frame_number
from streamdet.scenes.shapes import LABELS, ShapesOptions, ShapesScene
from streamdet.sources.synthetic import SyntheticSource, read_frame_number

SMALL = "synthetic:shapes?size=320x240&frames=12"


def all_frames(url):
    with SyntheticSource(url, "s") as source:
        info = source.open()
        return info, list(source.frames())


def planes(picture):
    return [picture.visible(k) for k in range(3)]


def equal_pixels(one, other):
    return all(np.array_equal(a, b) for a, b in zip(planes(one), planes(other), strict=True))


def test_the_default_is_ten_seconds_of_720p():
    with SyntheticSource("synthetic:", "cam") as source:
        info = source.open()
    assert (info.name, info.width, info.height) == ("cam", 1280, 720)
    assert (info.frame_count, info.average_rate, info.live) == (300, 30, False)


def test_frames_have_number_and_time():
    info, frames = all_frames("synthetic:shapes?size=322x243&frames=5&fps=30000/1001")
    assert info.time_base == Fraction(1001, 30000)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.pts for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[3].pts_s == pytest.approx(3 * 1001 / 30000)
    assert [read_frame_number(frame.picture) for frame in frames] == [0, 1, 2, 3, 4]
    assert {frame.picture.format for frame in frames} == {PixelFormat.I420}


def test_the_same_url_gives_equal_pixels_and_another_seed_different_ones():
    _, first = all_frames(SMALL)
    _, again = all_frames(SMALL)
    _, other = all_frames(SMALL + "&seed=8")
    assert all(equal_pixels(a.picture, b.picture) for a, b in zip(first, again, strict=True))
    assert not any(equal_pixels(a.picture, b.picture) for a, b in zip(first, other, strict=True))
    assert not equal_pixels(first[0].picture, first[1].picture)


@given(st.integers(0, 2**24 - 1), st.sampled_from([(160, 120), (320, 240), (321, 241), (1280, 720), (720, 1280)]))
def test_any_frame_number_can_be_read_back(number, size):
    width, height = size
    picture = Picture.allocate(width, height, PixelFormat.I420, ColorSpace())
    for plane in picture.planes:
        plane[:] = 128
    assert read_frame_number(picture) is None
    write_frame_number(picture.planes[0], width, height, number)
    assert read_frame_number(picture) == number
    assert read_frame_number(picture.copy(PixelFormat.BGR24)) == number


@pytest.mark.parametrize("value", [0, 16, 235, 255])
def test_a_uniform_picture_has_no_frame_number(value):
    bgr = np.full((240, 320, 3), value, np.uint8)
    assert read_frame_number(Picture.from_bgr(bgr)) is None
    assert read_frame_number(Picture.from_bgr(bgr[:20, :20])) is None


def test_a_damaged_frame_number_is_not_read():
    picture = ShapesScene(ShapesOptions(width=320, height=240)).render(77)
    unreadable = 0
    for bit in range(32):
        flipped = picture.copy()
        column, row = bit % 16, bit // 16
        left, top = 320 - 17 * 8 + 8 * column, 240 - 3 * 8 + 8 * row
        flipped.planes[0][top : top + 8, left : left + 8] = 252 - flipped.planes[0][top, left]
        unreadable += read_frame_number(flipped) is None
    assert unreadable == 32


def test_the_frame_number_survives_h264_at_crf_28():
    _, frames = all_frames("synthetic:shapes?size=320x240&frames=30&noise=6")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=30, options={"crf": "28", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in frames:
            encoded = frame.picture.to_av()
            encoded.pts, encoded.time_base = frame.pts, frame.time_base
            output.mux(stream.encode(encoded))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as coded:
        read = [read_frame_number(Picture.from_av(frame)) for frame in coded.decode(video=0)]
    assert read == list(range(30))


def test_the_frame_number_survives_jpeg_at_quality_80():
    _, frames = all_frames(SMALL)
    for frame in frames:
        jpeg = cv2.imencode(".jpg", frame.picture.bgr(), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        assert read_frame_number(Picture.from_bgr(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))) == frame.index


@pytest.mark.parametrize("size", [(640, 360), (321, 241)])
def test_ground_truth_boxes_enclose_the_colors(size):
    """Independent of the drawing code: pixels in the colors of a class lie in its boxes and reach their edges."""
    scene = ShapesScene(ShapesOptions(width=size[0], height=size[1], noise=0, objects=9))
    for index in (0, 50, 133, 280):
        rgb = scene.render(index).bgr()[..., ::-1].astype(int)
        truth = scene.ground_truth(index)
        assert truth.labels == LABELS
        truth = truth[truth.scores > 0.2]
        for class_id, strong in enumerate((0, 2, 1)):
            others = [k for k in range(3) if k != strong]
            colored = rgb[..., strong] - rgb[..., others].mean(axis=2) > 70
            boxes = truth[truth.class_ids == class_id].boxes_xyxy.astype(int)
            inside = np.zeros_like(colored)
            for left, top, right, bottom in boxes:
                inside[top - 1 : bottom + 1, max(left - 1, 0) : right + 1] = True
                found = np.argwhere(colored[top:bottom, left:right])
                assert (found.min(axis=0) <= 4).all(), "the color reaches the top and left edge of its box"
                assert (found.max(axis=0) >= np.array([bottom - top, right - left]) - 5).all()
            leftover = colored & ~inside
            assert leftover.sum() <= 0.1 * colored.sum() + 30, "there is almost no color outside the boxes"


def test_ground_truth_identifies_individuals():
    scene = ShapesScene(ShapesOptions(width=320, height=240))
    seen: dict[int, list[int]] = {}
    classes: dict[int, set[int]] = {}
    for index in range(600):
        truth = scene.ground_truth(index)
        assert len(set(truth.track_ids.tolist())) == len(truth)
        for track_id, class_id in zip(truth.track_ids.tolist(), truth.class_ids.tolist(), strict=True):
            seen.setdefault(track_id, []).append(index)
            classes.setdefault(track_id, set()).add(class_id)
    assert all(len(found) == 1 for found in classes.values())
    assert len(seen) > 6, "an object that returns is a new individual"
    # An object that crosses the scene is missing only briefly, while hidden behind another.
    assert max(max(np.diff(indices), default=1) for indices in seen.values()) < 60


def test_scores_are_lower_for_objects_hidden_by_others_or_by_the_edge():
    scene = ShapesScene(ShapesOptions(width=640, height=360, objects=12))
    shares = np.concatenate([scene.ground_truth(index).scores for index in range(0, 300, 3)])
    assert shares.max() == 1.0
    assert 0.02 <= shares.min() < 0.3
    assert 0.05 < (shares < 0.95).mean() < 0.7


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?objects=0", ["objects=0", "1 to 24"]),
        ("?objects=many", ["objects=many", "whole number"]),
        ("?objects=٣", ["objects=٣"]),
        ("?fps=0", ["fps=0", "30000/1001"]),
        ("?fps=nan", ["fps=nan"]),
        ("?fps=30/0", ["fps=30/0"]),
        ("?fps=1e99", ["fps=1e99"]),
        ("?size=1280", ["size=1280", "WIDTHxHEIGHT"]),
        ("?size=20000x20000", ["size=20000x20000"]),
        ("?size=16x16", ["size=16x16"]),
        ("?seed=-1", ["seed=-1"]),
        ("?frames=", ["frames="]),
        ("?live=yes", ["live=yes", "0 to 1"]),
        ("?noise=99", ["noise=99"]),
        ("?color=red", ["color", "objects, fps, size"]),
        ("?objects", ["objects="]),
        ("cats", ["cats", "synthetic:shapes"]),
    ],
)
def test_messages_about_invalid_urls_name_key_value_and_fix(query, words):
    with pytest.raises(UsageError) as caught:
        SyntheticSource(f"synthetic:{query}", "s")
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_frames_0_never_ends_before_a_stop():
    with SyntheticSource("synthetic:shapes?size=160x120&frames=0", "s") as source:
        info = source.open()
        assert info.frame_count is None
        count = 0
        for frame in source.frames():
            count += 1
            assert frame.index == count - 1
            if count == 400:
                source.request_stop()
    assert count == 400


def test_live_follows_its_clock_and_skips_frames_that_are_not_read_in_time():
    with SyntheticSource("synthetic:shapes?size=160x120&live=1&fps=100&frames=40", "cam") as source:
        assert source.open().live
        assert source.live
        started = time.monotonic()
        frames = []
        for frame in source.frames():
            frames.append(frame)
            if frame.index == 3:
                time.sleep(0.1)  # a consumer that is busy for ten frames
        took = time.monotonic() - started
    assert took >= 0.38
    assert [frame.index for frame in frames] == list(range(len(frames)))
    pts = [frame.pts for frame in frames]
    assert all(a < b for a, b in pairwise(pts))
    assert pts[4] - pts[3] >= 9
    for frame in frames:
        assert read_frame_number(frame.picture) == frame.pts
        assert frame.captured_ns / 1e9 - started >= frame.pts_s - 0.001


def test_close_works_twice_and_ground_truth_needs_no_open_source():
    source = SyntheticSource(SMALL, "s")
    source.close()
    assert len(source.ground_truth(3)) > 0
    source.close()
    source.close()


@pytest.mark.parametrize("scene", ["shapes", "street"])
def test_skipped_frames_are_counted(scene):
    with SyntheticSource(f"synthetic:{scene}?live=1&fps=50&frames=1000&size=160x120") as source:
        source.open()
        frames = source.frames()
        numbers = [next(frames).pts]
        assert not source.stopping.wait(0.3)  # the reader is busy
        numbers += [next(frames).pts for _ in range(3)]
    assert numbers[1] - numbers[0] >= 10
    assert source.faults["skipped"] == numbers[-1] - len(numbers) + 1
