"""Rotated videos: pictures have their display orientation, and equal what the ffmpeg program produces."""

import shutil
import struct
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from streamdet.color import ColorSpace
from streamdet.picture import Picture, PixelFormat
from streamdet.sources.file import FileSource
from streamdet.sources.orientation import rotate
from tests.sources.clips import corners, quarters

# As ISO/IEC 14496-12 stores matrices: a, b, u, c, d, v, x, y, w; u, v, w as 2.30, the others as 16.16.
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
    start = data.index(identity, data.index(b"tkhd"))
    data[start : start + 36] = struct.pack(">9i", *MATRICES[clockwise])
    path.write_bytes(data)
    return path


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
def test_rotated_phone_videos_are_upright(tmp_path: Path, clockwise: int, expected: list[str]) -> None:
    clip = with_display_matrix(write_quarters(tmp_path / "clip.mp4", 64, 48), clockwise)
    with FileSource(clip, "clip") as source:
        info = source.open()
        frame = next(source.frames())
    assert (info.width, info.height) == ((48, 64) if clockwise % 180 else (64, 48))
    assert (frame.width, frame.height) == (info.width, info.height)
    assert corners(frame.picture.bgr()) == expected


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with the ffmpeg program, which is not installed")
@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
def test_rotated_pictures_equal_those_of_the_ffmpeg_program(tmp_path: Path, clockwise: int) -> None:
    clip = with_display_matrix(write_quarters(tmp_path / "clip.mp4", 64, 48), clockwise)
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    with FileSource(clip, "clip") as source:
        source.open()
        picture = next(source.frames()).picture
    ours = np.concatenate([picture.visible(plane).ravel() for plane in range(3)])
    np.testing.assert_array_equal(ours, np.frombuffer(raw, np.uint8))


def test_rotating_odd_sizes_loses_no_pixel() -> None:
    picture = Picture.allocate(7, 5, PixelFormat.I420, ColorSpace())
    for plane in range(3):
        visible = picture.visible(plane)
        visible[:] = np.arange(visible.size, dtype=np.uint8).reshape(visible.shape)
    rotated = rotate(picture, 1)
    assert (rotated.width, rotated.height) == (5, 7)
    again = rotate(rotate(rotate(rotated, 1), 1), 1)
    for plane in range(3):
        np.testing.assert_array_equal(again.visible(plane), picture.visible(plane))


def test_nv12_rotates_like_i420() -> None:
    planar = av.VideoFrame.from_ndarray(quarters(64, 48), "bgr24").reformat(format="yuv420p")
    i420, nv12 = Picture.from_av(planar), Picture.from_av(planar.reformat(format="nv12"))
    assert nv12.format is PixelFormat.NV12
    np.testing.assert_array_equal(rotate(nv12, 1).bgr(), rotate(i420, 1).bgr())
