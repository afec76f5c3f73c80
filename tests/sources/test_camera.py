"""Cameras through OpenCV, with a fake capture object."""

import logging
from pathlib import Path

import cv2
import pytest

from streamdet.errors import SourceError
from streamdet.sources.camera import CameraSource, camera_index
from streamdet.sources.camera_list import CameraInfo, list_cameras
from streamdet.sources.options import SourceOptions
from tests.sources.clips import read_number
from tests.sources.fakes import FakeCapture


def with_capture(capture: FakeCapture, **options) -> CameraSource:
    return CameraSource(7, "cam", SourceOptions(**options), lambda index: capture)


def test_format_is_requested_before_size_and_actual_settings_are_read_back(caplog: pytest.LogCaptureFixture) -> None:
    capture = FakeCapture(7)
    with (
        caplog.at_level(logging.WARNING),
        with_capture(capture, size=(170, 120), fps=60, pixel_format="MJPG") as source,
    ):
        info = source.open()
    assert capture.requested[:4] == [
        cv2.CAP_PROP_FOURCC,
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS,
    ]
    assert (info.width, info.height, info.average_rate, info.codec, info.live) == (160, 112, 30, "mjpg", True)
    assert [record.getMessage() for record in caplog.records] == [
        "cam: size (170, 120) was requested, the camera uses (160, 112)",
        "cam: fps 60 was requested, the camera uses 30.0",
    ]
    assert capture.released


def test_unplugging_is_an_error_after_the_frames_before_it() -> None:
    with with_capture(FakeCapture(7, frames=3)) as source:
        source.open()
        frames = source.frames()
        assert [read_number(next(frames).picture) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(SourceError, match="unplugged"):
            next(frames)


def test_a_stop_is_not_reported_as_an_unplugged_camera() -> None:
    capture = FakeCapture(7, frames=1)
    source = with_capture(capture)
    source.open()
    frames = source.frames()
    next(frames)
    source.request_stop()
    assert list(frames) == []
    source.close()


@pytest.mark.skipif(Path("/dev/video7").exists(), reason="this machine has a camera 7")
def test_missing_camera_is_an_error() -> None:
    capture = FakeCapture(7, opened=False)
    with pytest.raises(SourceError, match="camera"), with_capture(capture) as source:
        source.open()
    assert capture.released


def test_list_has_one_node_per_camera(tmp_path: Path) -> None:
    for node, name, index in (("video10", "Dock", 0), ("video2", "Webcam", 0), ("video3", "Webcam", 1)):
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(name + "\n")
        (tmp_path / node / "index").write_text(f"{index}\n")
    (tmp_path / "video4").mkdir()  # being unplugged
    assert list_cameras(tmp_path) == [
        CameraInfo(2, Path("/dev/video2"), "Webcam"),
        CameraInfo(10, Path("/dev/video10"), "Dock"),
    ]
    assert list_cameras(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("address", "index"), [("0", 0), ("12", 12), ("/dev/video3", 3), ("/dev/sda", None), ("cam0", None), ("-1", None)]
)
def test_camera_index(address: str, index: int | None) -> None:
    assert camera_index(address) == index
