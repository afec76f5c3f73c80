"""Colors, sizes and sharing of recorded pictures."""

from fractions import Fraction

import av
import numpy as np
import pytest

from streamdet.color import ColorSpace, Matrix
from streamdet.picture import Picture, PixelFormat
from streamdet.sinks import recording
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.video import VideoSink
from tests.sinks.samples import (
    HEIGHT,
    WIDTH,
    brightness,
    decoded,
    info,
    luma,
    picture,
    record,
    result,
)


def patches(color: ColorSpace, width: int = 128, height: int = 64) -> tuple[np.ndarray, Picture]:
    """Returns red, green, blue and gray patches in a row, as BGR and as I420 in `color`."""
    bgr = np.zeros((height, width, 3), np.uint8)
    for number, value in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0), (128, 128, 128)]):
        bgr[:, number * width // 4 : (number + 1) * width // 4] = value
    return bgr, Picture.from_bgr(bgr, color).copy(PixelFormat.I420)


@pytest.mark.parametrize("matrix", list(Matrix), ids=lambda m: m.name)
@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
def test_colors_are_kept_and_the_file_is_tagged_with_matrix_and_range(tmp_path, matrix, full_range):
    color = ColorSpace(matrix, full_range)
    bgr, i420 = patches(color)
    path = record(tmp_path / "out.mp4", [result(n, shown=i420) for n in range(3)], SinkOptions(quality=5))
    first = decoded(path)[0]
    assert (int(first.colorspace), int(first.color_range)) == (
        {Matrix.BT601: 6, Matrix.BT709: 1, Matrix.BT2020: 9}[matrix],
        2 if full_range else 1,
    )
    read_back = Picture.from_av(first)
    assert read_back.color == color
    centers = np.arange(16, 128, 32)
    np.testing.assert_allclose(read_back.bgr()[32, centers].astype(int), bgr[32, centers].astype(int), atol=6)


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [pytest.param(128, 64, Matrix.BT601, id="small"), pytest.param(1280, 720, Matrix.BT709, id="HD")],
)
def test_bgr_gets_the_color_space_that_players_assume(tmp_path, width, height, matrix):
    bgr, _ = patches(ColorSpace(), width, height)
    path = record(
        tmp_path / "out.mp4",
        [result(n, shown=Picture.from_bgr(bgr)) for n in range(2)],
        SinkOptions(quality=5),
        info(width, height),
    )
    read_back = Picture.from_av(decoded(path)[0])
    assert read_back.color == ColorSpace(matrix, full_range=False)
    centers = np.arange(width // 8, width, width // 4)
    np.testing.assert_allclose(read_back.bgr()[9, centers].astype(int), bgr[9, centers].astype(int), atol=6)


def test_a_changed_color_space_is_converted(tmp_path):
    bgr, first = patches(ColorSpace(Matrix.BT601))
    _, later = patches(ColorSpace(Matrix.BT709, full_range=True))
    path = record(tmp_path / "out.mp4", [result(0, shown=first), result(1, shown=later)], SinkOptions(quality=5))
    for frame in decoded(path):
        read_back = Picture.from_av(frame)
        assert read_back.color == ColorSpace(Matrix.BT601)
        np.testing.assert_allclose(read_back.bgr()[32, 16::32].astype(int), bgr[32, 16::32].astype(int), atol=8)


def test_full_range_pictures_of_motion_jpeg_keep_their_samples(tmp_path):
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuvj420p")
    for plane, value in zip(frame.planes, (250, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    path = record(tmp_path / "out.mp4", [result(0, shown=Picture.from_av(frame), annotated=False)])
    first = decoded(path)[0]
    assert abs(float(luma(first).mean()) - 250) < 1  # not compressed to 16..235
    assert int(first.color_range) == 2


@pytest.mark.parametrize("format", list(PixelFormat), ids=lambda f: f.name)
@pytest.mark.parametrize("size", [(95, 63), (96, 63), (95, 64), (1, 1)], ids=str)
def test_odd_sizes_are_padded_and_no_pixel_is_lost(tmp_path, format, size):
    width, height = size
    if format is PixelFormat.NV12 and width == 1:
        pytest.skip("the test cannot make NV12 pictures of one column")
    results = [result(n, shown=picture(n, format, width, height)) for n in range(3)]
    path = record(tmp_path / "out.mp4", results, SinkOptions(quality=1), info(width, height))
    frames = decoded(path)
    assert {(f.width, f.height) for f in frames} == {(width + width % 2, height + height % 2)}
    original = Picture.from_av(results[0].annotated.copy(PixelFormat.I420).to_av())
    if format is not PixelFormat.BGR24:
        difference = luma(frames[0])[:height, :width].astype(int) - original.visible(0)
        assert np.abs(difference).max() <= 3


def test_a_changed_size_is_letterboxed(tmp_path, caplog):
    white = np.full((64, 32, 3), 255, np.uint8)
    shown = Picture.from_bgr(white, ColorSpace(Matrix.BT601)).copy(PixelFormat.I420)
    path = record(
        tmp_path / "out.mp4", [result(0), result(1, shown=shown), result(2, shown=shown)], SinkOptions(quality=5)
    )
    y = luma(decoded(path)[1])
    assert y[32, WIDTH // 2 - 12 : WIDTH // 2 + 12].min() > 225
    assert max(y[:, : WIDTH // 2 - 20].max(), y[:, WIDTH // 2 + 20 :].max()) < 30
    warnings = [r.getMessage() for r in caplog.records]
    assert warnings == [f"{path}: the frame size changed from 96x64 to 32x64; scaling to 96x64"]


def test_i420_pictures_reach_the_encoder_without_a_copy(tmp_path, monkeypatch):
    seen: list[int] = []
    original = recording.Recording._new_reference

    def watching(self, shown):
        reference = original(self, shown)
        seen.append(reference.planes[0].buffer_ptr)
        return reference

    monkeypatch.setattr(recording.Recording, "_new_reference", watching)
    results = [result(n) for n in range(3)]
    record(tmp_path / "out.mp4", results)
    assert seen == [r.annotated.owner.planes[0].buffer_ptr for r in results]


def test_two_sinks_can_share_a_picture(tmp_path):
    results = [result(n) for n in range(12)]
    with VideoSink(tmp_path / "a.mp4") as a, VideoSink(tmp_path / "b.mkv", SinkOptions(gop_s=0.1)) as b:
        a.open(info())
        b.open(info(time_base=Fraction(1, 1000)))
        for one in results:
            a.write(one)
            b.write(one)
    expected = brightness(r.annotated.owner for r in results)
    for path in (tmp_path / "a.mp4", tmp_path / "b.mkv"):
        np.testing.assert_allclose(brightness(decoded(path)), expected, atol=2)
