"""Still images: reading, order, orientation and damage."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import SourceError
from streamdet.sources.image_header import image_size
from streamdet.sources.images import ImagesSource, read_image
from streamdet.sources.options import MAX_IMAGE_FPS, MIN_IMAGE_FPS, SourceOptions
from tests.sources.clips import numbered, read_number

LIMIT = SourceOptions().max_pixels


def write(path: Path, number: int = 0, size: tuple[int, int] = (128, 96)) -> Path:
    assert cv2.imwrite(str(path), numbered(number, *size))
    return path


def test_images_come_in_natural_order_with_their_paths(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        write(tmp_path / f"shot {number}.png", number)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "shot 50.png").write_bytes(b"broken")
    with ImagesSource(str(tmp_path), "shots", SourceOptions(image_fps=4)) as source:
        info = source.open()
        frames = list(source.frames())
    assert [read_number(frame.picture) for frame in frames] == [9, 10, 100]
    assert [frame.file.name for frame in frames if frame.file] == ["shot 9.png", "shot 10.png", "shot 100.png"]
    assert [frame.pts_s for frame in frames] == [0, 0.25, 0.5]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert source.faults == {"broken_image": 1}
    assert info.average_rate == 4


@pytest.mark.parametrize("image_fps", [MIN_IMAGE_FPS, 1 / 3, 29.97, MAX_IMAGE_FPS])
def test_every_allowed_image_fps_gives_exact_times(tmp_path: Path, image_fps: float) -> None:
    for number in range(2):
        write(tmp_path / f"{number}.png", number)
    with ImagesSource(str(tmp_path), "shots", SourceOptions(image_fps=image_fps)) as source:
        source.open()
        assert [frame.pts_s for frame in source.frames()] == pytest.approx([0, 1 / image_fps])


def test_images_may_differ_in_size(tmp_path: Path) -> None:
    for i, size in enumerate([(128, 96), (8, 8), (129, 97)]):
        write(tmp_path / f"{i}.png", 0, size)
    with ImagesSource(str(tmp_path), "sizes") as source:
        source.open()
        assert [(frame.width, frame.height) for frame in source.frames()] == [(128, 96), (8, 8), (129, 97)]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((9, 7), np.uint8), ((9, 7, 4), np.uint8), ((9, 7, 3), np.uint16)],
    ids=["gray", "alpha", "deep"],
)
def test_every_pixel_type_becomes_8_bit_bgr(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    value = np.iinfo(dtype).max
    cv2.imwrite(str(tmp_path / "x.png"), np.full(shape, value, dtype))
    bgr = read_image(tmp_path / "x.png", LIMIT)
    assert bgr.shape == (9, 7, 3)
    assert bgr.dtype == np.uint8
    assert (bgr == 255).all()


@pytest.mark.parametrize(("orientation", "size"), [(1, (16, 8)), (6, (8, 16)), (8, (8, 16)), (3, (16, 8))])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    bgr = np.zeros((8, 16, 3), np.uint8)
    bgr[:, :8] = 255  # the left half is white
    jpeg = cv2.imencode(".jpg", bgr)[1].tobytes()
    entry = struct.pack(">H", 1) + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + entry
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    read = read_image(path, LIMIT)
    height, width = read.shape[:2]
    assert (width, height) == size
    white = {1: (4, 2), 3: (4, 13), 6: (2, 4), 8: (13, 4)}[orientation]
    black = {1: (4, 13), 3: (4, 2), 6: (13, 4), 8: (2, 4)}[orientation]
    assert read[white].min() > 200
    assert read[black].max() < 50


def png_header(width: int, height: int) -> bytes:
    """Returns a PNG with this size in its header and no pixel data."""
    chunks = b"\x89PNG\r\n\x1a\n"
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", b""),
        (b"IEND", b""),
    ):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return chunks


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"hello", "the image is damaged or of an unsupported format"),
        (png_header(20_000, 10), "20000x10.*16384"),
        (png_header(12_000, 12_000), "over the limit"),
        (png_header(0, 10), "0x10 pixels: the source is damaged"),
        (png_header(64, 64), "the image is damaged or of an unsupported format"),
    ],
    ids=["empty", "text", "too wide", "too many pixels", "no pixels", "no data"],
)
def test_a_single_unreadable_image_is_reported_in_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=words) as raised, ImagesSource(str(path), "bad") as source:
        source.open()
    assert "\n" not in str(raised.value)


def test_a_directory_without_readable_images_is_an_error(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / f"{i}.jpg").write_bytes(b"no")
    with pytest.raises(SourceError, match="none of its 2 images"), ImagesSource(str(tmp_path), "bad") as source:
        source.open()


def test_a_directory_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no image in the directory"):
        ImagesSource(str(tmp_path), "none")


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp", ".webp"])
@pytest.mark.parametrize("size", [(64, 48), (129, 97)], ids=["even", "odd"])
def test_size_is_read_from_the_header(kind: str, size: tuple[int, int]) -> None:
    data = cv2.imencode(kind, numbered(3, *size))[1].tobytes()
    assert image_size(data) == size


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"RIFF\0\0\0\0WEBPVP8 ", b""]), st.binary(max_size=60)
)
def test_reading_the_size_never_fails(start: bytes, rest: bytes) -> None:
    size = image_size(start + rest)
    assert size is None or len(size) == 2
