"""The contract of every source (`streamdet/sources/base.py`)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import cv2
import pytest

from streamdet.picture import Picture, plane_shapes
from streamdet.scenes.frame_code import read_frame_number
from streamdet.sources.base import Source
from streamdet.sources.camera import CameraSource
from streamdet.sources.factory import create_source
from streamdet.sources.network import NetworkSource
from streamdet.sources.options import SourceOptions
from streamdet.types import Frame
from tests.faultcam import FaultCam
from tests.sources.clips import encode, numbered, read_number
from tests.sources.fakes import FakeCapture
from tests.sources.web import web_server

COUNT = 12
QUICK = SourceOptions(open_timeout_s=5, read_timeout_s=5, image_fps=10)


@dataclass(frozen=True)
class Case:
    """One kind of source.

    Attributes:
        make: creates the source; its files are in the test's folder.
        count: number of its frames; None if it never ends.
        live: expected value of `Source.live`.
        number: reads the number of a frame from its pixels.
    """

    name: str
    make: Callable[[Path, ExitStack], Source]
    count: int | None = COUNT
    live: bool = False
    number: Callable[[Picture], int | None] = read_number


def _file(tmp_path: Path, stack: ExitStack) -> Source:
    return create_source(str(encode(tmp_path / "clip.mp4", COUNT)))


def _realtime(tmp_path: Path, stack: ExitStack) -> Source:
    clip = encode(tmp_path / "clip.mp4", COUNT, fps=100)
    return create_source(str(clip), options=SourceOptions(realtime=True))


def _write_images(folder: Path) -> None:
    for i in range(COUNT):
        cv2.imwrite(str(folder / f"frame{i}.png"), numbered(i))  # no leading zeros: 10 must come after 9


def _directory(tmp_path: Path, stack: ExitStack) -> Source:
    _write_images(tmp_path)
    return create_source(str(tmp_path), options=QUICK)


def _glob(tmp_path: Path, stack: ExitStack) -> Source:
    _write_images(tmp_path)
    (tmp_path / "other.txt").write_text("not an image")
    return create_source(str(tmp_path / "frame*.png"), options=QUICK)


def _image(tmp_path: Path, stack: ExitStack) -> Source:
    cv2.imwrite(str(tmp_path / "one.png"), numbered(0))
    return create_source(str(tmp_path / "one.png"))


def _synthetic(tmp_path: Path, stack: ExitStack) -> Source:
    return create_source(f"synthetic:shapes?frames={COUNT}&size=320x240")


def _synthetic_realtime(tmp_path: Path, stack: ExitStack) -> Source:
    return create_source(f"synthetic:shapes?frames={COUNT}&size=320x240&fps=100", options=SourceOptions(realtime=True))


def _street(tmp_path: Path, stack: ExitStack) -> Source:
    return create_source(f"synthetic:street?frames={COUNT}&size=320x240")


def _camera(tmp_path: Path, stack: ExitStack) -> Source:
    return CameraSource(0, "camera0", capture=FakeCapture)


def _rtsp(tmp_path: Path, stack: ExitStack) -> Source:
    cam = stack.enter_context(FaultCam(["play"], speed=4))
    return NetworkSource(cam.url, "shown", "cam", QUICK)


def _rtsp_reconnecting(tmp_path: Path, stack: ExitStack) -> Source:
    cam = stack.enter_context(FaultCam(["play"], speed=4))
    return create_source(cam.url, options=QUICK)


def _rtsp_with_duration(tmp_path: Path, stack: ExitStack) -> Source:
    cam = stack.enter_context(FaultCam(["finite"], speed=4))
    return create_source(cam.url, options=QUICK)


def _http(tmp_path: Path, stack: ExitStack) -> Source:
    encode(tmp_path / "clip.mkv", COUNT)
    return create_source(stack.enter_context(web_server(tmp_path)) + "/clip.mkv", options=QUICK)


CASES = [
    Case("file", _file),
    Case("realtime-file", _realtime, live=True),
    Case("directory", _directory),
    Case("glob", _glob),
    Case("image", _image, count=1),
    Case("synthetic", _synthetic, number=read_frame_number),
    Case("synthetic-realtime", _synthetic_realtime, live=True, number=read_frame_number),
    Case("street", _street, number=read_frame_number),
    Case("camera", _camera, count=None, live=True),
    Case("rtsp", _rtsp, count=None, live=True),
    Case("rtsp-reconnecting", _rtsp_reconnecting, count=None, live=True),
    Case("rtsp-with-duration", _rtsp_with_duration, count=15, live=True),
    Case("http", _http),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def source(case: Case, tmp_path: Path) -> Iterator[Source]:
    with ExitStack() as stack:
        made = case.make(tmp_path, stack)
        yield made
        made.close()


def take(source: Source, case: Case) -> list[Frame]:
    return list(islice(source.frames(), case.count or 20))


def test_info_describes_the_first_frame(case: Case, source: Source) -> None:
    info = source.open()
    first = next(source.frames())
    assert (info.name, first.source) == (source.name, source.name)
    assert (info.width, info.height) == (first.width, first.height)
    assert info.time_base == first.time_base
    assert (info.live, source.live) == (case.live, case.live)
    assert info.frame_count in (None, case.count)


def test_index_and_timestamps_increase(case: Case, source: Source) -> None:
    info = source.open()
    frames = take(source, case)
    assert [frame.index for frame in frames] == list(range(case.count or 20))
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert all(a.captured_ns <= b.captured_ns for a, b in pairwise(frames))
    assert {frame.time_base for frame in frames} == {info.time_base}


def test_pictures_are_complete_and_in_order(case: Case, source: Source) -> None:
    source.open()
    frames = take(source, case)
    for frame in frames:
        picture = frame.picture
        assert len(picture.planes) == len(plane_shapes(picture.format, picture.width, picture.height))
        assert picture.bgr().shape == (frame.height, frame.width, 3)
    assert [case.number(frame.picture) for frame in frames] == list(range(case.count or 20))


def test_yields_nothing_more_after_its_end(case: Case, source: Source) -> None:
    if case.count is None:
        pytest.skip("this source never ends")
    source.open()
    assert len(list(source.frames())) == case.count
    assert list(source.frames()) == []


def test_close_works_twice_and_without_open(case: Case, source: Source) -> None:
    source.close()
    source.close()


def test_close_ends_the_frames_being_read(case: Case, source: Source) -> None:
    source.open()
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert next(frames, None) is None  # and does not crash: FFmpeg's demuxer must not be called again


def test_a_stop_from_another_thread_ends_the_frames(case: Case, source: Source) -> None:
    source.open()
    frames = source.frames()
    next(frames)
    other = threading.Thread(target=source.request_stop)
    other.start()
    other.join()
    source.request_stop()
    assert next(frames, None) is None
    assert list(source.frames()) == []


def test_a_stop_before_the_first_frame_yields_none(case: Case, source: Source) -> None:
    source.open()
    source.request_stop()
    assert list(source.frames()) == []


def test_another_thread_cannot_close_an_ffmpeg_input(case: Case, source: Source) -> None:
    source.open()
    raised: list[BaseException] = []

    def close() -> None:
        try:
            source.close()
        except RuntimeError as error:
            raised.append(error)

    other = threading.Thread(target=close)
    other.start()
    other.join()
    if case.name.startswith(("file", "realtime", "rtsp", "http")):
        assert "belongs to the thread" in str(raised[0])
        assert next(source.frames()).index == 0  # and continues normally
    else:
        assert not raised


def test_attributes_and_repr_do_not_show_the_password(case: Case, source: Source) -> None:
    source.open()
    assert "s3cret" not in f"{source.url} {source.name} {source!r} {next(source.frames())!r}"
