"""Every pixel format becomes the same picture; every rotation comes out upright, as ffmpeg itself turns it."""

import shutil
import struct
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from streamdet.color import ColorSpace, Matrix, bgr_to_i420
from streamdet.errors import SourceError
from streamdet.picture import Picture, PixelFormat
from streamdet.sources.file import FileSource
from streamdet.sources.orientation import PictureMaker, check_size, rotated
from tests.sources.clips import encode

# As ISO/IEC 14496-12 stores it: a, b, u, c, d, v, x, y, w in 16.16, and 2.30 for u, v, w.
ONE, W = 1 << 16, 1 << 30
MATRICES = {
    0: (ONE, 0, 0, 0, ONE, 0, 0, 0, W),
    90: (0, ONE, 0, -ONE, 0, 0, 0, 0, W),
    180: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, W),
    270: (0, -ONE, 0, ONE, 0, 0, 0, 0, W),
}


def with_display_matrix(path: Path, clockwise: int) -> Path:
    """Writes a rotation into the track header of an MP4, as phones do."""
    data = bytearray(path.read_bytes())
    identity = struct.pack(">9i", *MATRICES[0])
    at = data.index(identity, data.index(b"tkhd"))
    data[at : at + 36] = struct.pack(">9i", *MATRICES[clockwise])
    path.write_bytes(data)
    return path


def corners(bgr: np.ndarray) -> list[str]:
    """Colour names of the four quarters: top left, top right, bottom left, bottom right."""
    height, width = bgr.shape[:2]
    names = {(0, 0, 1): "red", (0, 1, 0): "green", (1, 0, 0): "blue", (1, 1, 1): "white"}
    centres = [(height * y // 4, width * x // 4) for y in (1, 3) for x in (1, 3)]
    return [names[tuple(int(v > 127) for v in bgr[at])] for at in centres]


def quarters(width: int, height: int) -> np.ndarray:
    """BGR: red and green above, blue and white below."""
    bgr = np.zeros((height, width, 3), np.uint8)
    bgr[: height // 2, : width // 2] = (0, 0, 255)
    bgr[: height // 2, width // 2 :] = (0, 255, 0)
    bgr[height // 2 :, : width // 2] = (255, 0, 0)
    bgr[height // 2 :, width // 2 :] = (255, 255, 255)
    return bgr


def write_quarters(path: Path, width: int, height: int) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=5, options={"preset": "ultrafast", "qp": "4"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(2):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(width, height), "bgr24")))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("clockwise", "expected"),
    [
        (0, ["red", "green", "blue", "white"]),
        (90, ["blue", "red", "white", "green"]),
        (180, ["white", "blue", "green", "red"]),
        (270, ["green", "white", "red", "blue"]),
    ],
)
def test_rotation_of_phones(tmp_path: Path, clockwise: int, expected: list[str]) -> None:
    clip = with_display_matrix(write_quarters(tmp_path / "clip.mp4", 64, 48), clockwise)
    with FileSource(clip, "clip") as source:
        info = source.open()
        frame = next(source.frames())
    assert (info.width, info.height) == ((48, 64) if clockwise % 180 else (64, 48))
    assert (frame.width, frame.height) == (info.width, info.height)
    assert corners(frame.picture.bgr()) == expected


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with the ffmpeg program, which is not installed")
@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
def test_rotation_is_what_ffmpeg_makes_of_it(tmp_path: Path, clockwise: int) -> None:
    clip = with_display_matrix(write_quarters(tmp_path / "clip.mp4", 64, 48), clockwise)
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    with FileSource(clip, "clip") as source:
        source.open()
        picture = next(source.frames()).picture
    ours = np.concatenate([picture.visible(plane).ravel() for plane in range(3)])
    np.testing.assert_array_equal(ours, np.frombuffer(raw, np.uint8))


def test_odd_sizes_turn_whole() -> None:
    picture = Picture.allocate(7, 5, PixelFormat.I420, ColorSpace())
    for plane in range(3):
        visible = picture.visible(plane)
        visible[:] = np.arange(visible.size, dtype=np.uint8).reshape(visible.shape)
    turned = rotated(picture, 1)
    assert (turned.width, turned.height) == (5, 7)
    again = rotated(rotated(rotated(turned, 1), 1), 1)
    for plane in range(3):
        np.testing.assert_array_equal(again.visible(plane), picture.visible(plane))


def test_nv12_turns_like_i420() -> None:
    planar = av.VideoFrame.from_ndarray(quarters(64, 48), "bgr24").reformat(format="yuv420p")
    i420, nv12 = Picture.from_av(planar), Picture.from_av(planar.reformat(format="nv12"))
    assert nv12.format is PixelFormat.NV12
    np.testing.assert_array_equal(rotated(nv12, 1).bgr(), rotated(i420, 1).bgr())


FORMATS = (
    "yuv420p yuvj420p nv12 nv21 yuv422p yuvj422p yuv444p yuvj444p yuv420p10le yuv422p10le yuyv422 uyvy422 rgb24 bgr24 "
    "gbrp rgba bgra rgb565le yuva420p yuv410p"
)


@pytest.mark.parametrize("size", [(64, 48), (1280, 722), (65, 49)], ids=["sd", "hd", "odd"])
@pytest.mark.parametrize("name", FORMATS.split())
def test_every_format_becomes_the_same_picture(name: str, size: tuple[int, int]) -> None:
    bgr = quarters(*size)
    expected = corners(bgr)
    picture = PictureMaker().make(av.VideoFrame.from_ndarray(bgr, "bgr24").reformat(format=name))
    assert picture.format in (PixelFormat.I420, PixelFormat.NV12)
    assert (picture.width, picture.height) == size
    made = picture.bgr()
    assert corners(made) == expected
    if size != (65, 49) and "rgb" in name + "rgb" * name.startswith(("gb", "bg")):
        difference = np.abs(made[:: size[1] // 8, :: size[0] // 8].astype(int) - bgr[:: size[1] // 8, :: size[0] // 8])
        assert np.median(difference) <= 8  # the matrix of the result is the one it was converted with


@pytest.mark.parametrize("width", [64, 1280])
def test_rgb_takes_the_matrix_that_readers_assume(width: int) -> None:
    red = np.zeros((64, width, 3), np.uint8)
    red[:] = (0, 0, 255)
    picture = PictureMaker().make(av.VideoFrame.from_ndarray(red, "rgb24").reformat(format="gbrp"))
    color = ColorSpace(Matrix.BT709 if width == 1280 else Matrix.BT601)
    assert picture.color == color
    y, u, v = (np.zeros(shape, np.uint8) for shape in ((64, width), (32, width // 2), (32, width // 2)))
    blue = np.ascontiguousarray(red.reshape(64, 3 * width))  # rgb24 above, so the picture is blue
    bgr_to_i420(
        np.ascontiguousarray(blue.reshape(64, width, 3)[..., ::-1]).reshape(64, -1),
        width,
        64,
        color.rgb_to_yuv(),
        y,
        u,
        v,
    )
    for plane, want in enumerate((y, u, v)):
        assert abs(int(picture.visible(plane)[0, 0]) - int(want[0, 0])) <= 1


@pytest.mark.parametrize(("tagged", "full_range"), [(0, True), (1, False), (2, True)])
def test_gray_keeps_its_values_and_its_range(tagged: int, full_range: bool) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((6, 10), 77, np.uint8), "gray")
    frame.color_range = tagged
    picture = PictureMaker().make(frame)
    assert (picture.visible(0) == 77).all()
    assert (picture.visible(1) == 128).all()
    assert picture.color.full_range is full_range


@pytest.mark.parametrize("name", ["yuv420p", "nv12"])
def test_planes_are_not_copied(name: str) -> None:
    frame = av.VideoFrame.from_ndarray(quarters(64, 48), "bgr24").reformat(format=name)
    picture = PictureMaker().make(frame)
    assert picture.owner is frame


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [(0, 48, "nothing to see"), (20_000, 10, "16384"), (8000, 8000, "over the limit")],
)
def test_sizes_that_are_refused(width: int, height: int, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        check_size("cam", width, height, 7680 * 4320)


def test_a_file_over_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    from streamdet.sources.options import SourceOptions

    source = FileSource(encode(tmp_path / "clip.mp4", 2), "clip", SourceOptions(max_pixels=128 * 96 - 1))
    with pytest.raises(SourceError, match="128x96 is over the limit of 12287 pixels"), source:
        source.open()
