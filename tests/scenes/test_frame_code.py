"""Frame codes are read back, also after lossy coding, and damage to them is detected."""

import time

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.color import ColorSpace
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.frame_code import (
    ROWS,
    TIME_MODULUS_MS,
    TIME_ROWS,
    FrameCode,
    frame_code_area,
    read_frame_code,
    read_frame_number,
    write_frame_code,
    write_frame_number,
)
from streamdet.sinks.factory import create_sink
from streamdet.sources.factory import create_source
from streamdet.sources.synthetic import SyntheticSource
from streamdet.types import Detections, Result

SIZES = [(160, 120), (320, 240), (321, 241), (1280, 720), (720, 1280)]


def gray(width, height):
    picture = Picture.allocate(width, height, PixelFormat.I420, ColorSpace())
    for plane in picture.planes:
        plane[:] = 128
    return picture


@given(st.integers(0, 2**24 - 1), st.integers(0, TIME_MODULUS_MS - 1), st.sampled_from(SIZES))
def test_number_and_time_are_read_back(number, captured_ms, size):
    picture = gray(*size)
    assert read_frame_code(picture) is None
    write_frame_code(picture.planes[0], *size, number, captured_ms)
    assert read_frame_code(picture) == (number, captured_ms)
    assert read_frame_code(picture.copy(PixelFormat.BGR24)) == (number, captured_ms)
    assert read_frame_number(picture) == number


def test_number_without_time_is_no_frame_code():
    picture = gray(320, 240)
    write_frame_number(picture.planes[0], 320, 240, 5)
    assert read_frame_number(picture) == 5
    assert read_frame_code(picture) is None


@pytest.mark.parametrize("age_ms", [0, 1, 40, -3, 10**9])
def test_age_is_right_where_the_time_wraps(age_ms):
    for now_ms in (5, TIME_MODULUS_MS + 5, 1_790_000_000_000):
        assert FrameCode(0, (now_ms - age_ms) % TIME_MODULUS_MS).age_ms(now_ms) == age_ms


def test_one_damaged_cell_is_detected():
    picture = gray(320, 240)
    write_frame_code(picture.planes[0], 320, 240, 77, 1_700_000_000_123)
    rows, columns = frame_code_area(320, 240)
    for row in range(ROWS + TIME_ROWS):
        for column in range(16):
            damaged = picture.copy()
            top, left = rows.start + 8 * row, columns.start + 8 * column
            cell = damaged.planes[0][top : top + 8, left : left + 8]
            cell[:] = 252 - cell[0, 0]
            assert read_frame_code(damaged) is None


def test_time_of_another_frame_is_detected():
    one, two = gray(320, 240), gray(320, 240)
    write_frame_code(one.planes[0], 320, 240, 1, 1000)
    write_frame_code(two.planes[0], 320, 240, 2, 1033)
    rows, _ = frame_code_area(320, 240)
    tear = rows.start + TIME_ROWS * 8
    one.planes[0][tear:] = two.planes[0][tear:]
    assert read_frame_code(one) is None
    assert read_frame_number(one) is None


STREET = "synthetic:street?size=640x360&noise=4&shake=4&fps=30000/1001"


def street_frames(count):
    with SyntheticSource(f"{STREET}&frames={count}") as source:
        source.open()
        return list(source.frames())


def test_a_source_that_is_not_live_writes_scene_time():
    assert [read_frame_code(frame.picture) for frame in street_frames(3)] == [(0, 0), (1, 33), (2, 67)]


def test_a_live_source_writes_the_system_clock():
    with SyntheticSource("synthetic:street?size=160x120&live=1&fps=50&frames=3") as source:
        source.open()
        for frame in source.frames():
            now_ms = time.time_ns() // 1_000_000
            assert 0 <= read_frame_code(frame.picture).age_ms(now_ms) < 10_000


def test_frame_code_survives_jpeg_at_quality_80():
    for frame in street_frames(8):
        jpeg = cv2.imencode(".jpg", frame.picture.bgr(), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        read = read_frame_code(Picture.from_bgr(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)))
        assert read == (frame.index, round(1001 * frame.index / 30))


def test_frame_code_survives_a_recording(tmp_path):
    target = str(tmp_path / "out.mp4")
    sink = create_sink(target)
    with SyntheticSource(f"{STREET}&frames=40") as source:
        sink.open(source.open())
        for frame in source.frames():
            sink.write(Result(frame, Detections.empty(), 0.0, annotated=frame.picture))
    sink.close()
    with create_source(target) as recorded:
        recorded.open()
        read = [read_frame_code(frame.picture) for frame in recorded.frames()]
    assert read == [(k, round(1001 * k / 30)) for k in range(40)]
