"""Formats of a camera, from a fake driver that answers V4L2's calls."""

import errno
import os
import struct

import pytest

from streamdet.doctor import cameras, v4l2
from streamdet.doctor.check_result import Status
from streamdet.doctor.v4l2 import CaptureMode, capture_modes, read_capture_modes
from streamdet.sources.camera_list import CameraInfo

CAPTURE, CAPTURE_PLANES, METADATA, HAS_DEVICE_CAPS = 0x1, 0x1000, 0x800000, 0x80000000


class FakeCamera:
    """A driver: format -> {size: rates}, where a size is (width, height) or a range of six numbers.

    A rate is (numerator, denominator) of the time between frames in seconds, or a range of six numbers.
    """

    def __init__(self, formats, capabilities=CAPTURE, device_caps=None, kind=1):
        self.formats, self.kind = formats, kind
        self.capabilities = capabilities if device_caps is None else capabilities | HAS_DEVICE_CAPS
        self.device_caps = device_caps or 0

    def __call__(self, descriptor, request, buffer):
        answer = {
            v4l2.QUERYCAP: self.query,
            v4l2.ENUM_FMT: self.format,
            v4l2.ENUM_FRAMESIZES: self.size,
            v4l2.ENUM_FRAMEINTERVALS: self.interval,
        }[request]
        try:
            buffer[:] = answer(*struct.unpack_from("=5I", buffer))
        except (IndexError, KeyError):
            raise OSError(errno.EINVAL, "no more") from None

    def query(self, *_):
        return v4l2.CAPABILITY.pack(b"fake", b"Fake", b"usb", 1, self.capabilities, self.device_caps, 0, 0, 0)

    def format(self, index, kind, *_):
        if kind != self.kind:
            raise KeyError
        name = list(self.formats)[index]
        return v4l2.FORMAT.pack(index, kind, 0, b"", fourcc(name), 0, 0, 0, 0)

    def size(self, index, code, *_):
        size = list(self.formats[fourcc_name(code)])[index]
        numbers = [*size, 0, 0, 0, 0][:6]
        return v4l2.FRAME_SIZE.pack(index, code, 1 if len(size) == 2 else 3, *numbers, 0, 0)

    def interval(self, index, code, width, height, *_):
        sizes = self.formats[fourcc_name(code)]
        rates = sizes.get((width, height)) or next(r for s, r in sizes.items() if len(s) == 6)
        rate = rates[index]
        numbers = [*rate, 0, 0, 0, 0][:6]
        return v4l2.FRAME_INTERVAL.pack(index, code, width, height, 1 if len(rate) == 2 else 3, *numbers, 0, 0)


def fourcc(name):
    return struct.unpack("=I", name.encode())[0]


def fourcc_name(code):
    return struct.pack("=I", code).decode()


WEBCAM = {
    "YUYV": {(640, 480): [(1, 30), (1, 15)], (1920, 1080): [(1, 5)]},
    "MJPG": {(1920, 1080): [(1, 30), (1001, 60000)], (640, 480): [(1, 30)]},
}


@pytest.mark.parametrize(
    ("camera", "found"),
    [
        (
            FakeCamera(WEBCAM),
            [("YUYV", 640, 480, 30), ("YUYV", 1920, 1080, 5), ("MJPG", 1920, 1080, 59.94), ("MJPG", 640, 480, 30)],
        ),
        (FakeCamera({"NV12": {(32, 4056, 2, 16, 3040, 2): [(1, 30)]}}), [("NV12", 4056, 3040, 30)]),
        (FakeCamera({"GREY": {(640, 480): [(1, 120, 1, 10, 0, 1)]}}), [("GREY", 640, 480, 120)]),
        (FakeCamera({"YUYV": {(640, 480): [(0, 30)]}}), [("YUYV", 640, 480, 0)]),
        (FakeCamera({"H264": {}}), []),
        (FakeCamera({"NV12": {(64, 64): [(1, 25)]}}, CAPTURE_PLANES, kind=9), [("NV12", 64, 64, 25)]),
        (FakeCamera(WEBCAM, CAPTURE | METADATA, device_caps=METADATA), []),
    ],
    ids=["webcam", "any-size", "any-rate", "no-rate", "no-size", "planes", "metadata-node"],
)
def test_capture_modes(camera, found):
    assert [
        (m.pixel_format, m.width, m.height, pytest.approx(m.rate_hz, abs=0.01)) for m in capture_modes(0, camera)
    ] == found


def test_endless_list_of_a_driver_is_cut():
    class Endless(FakeCamera):
        def size(self, index, code, *_):
            return v4l2.FRAME_SIZE.pack(index, code, 1, 64, 64, 0, 0, 0, 0, 0, 0)

    assert len(list(capture_modes(0, Endless({"YUYV": {(64, 64): [(1, 30)]}})))) == 256


def test_file_that_is_no_camera(tmp_path):
    (tmp_path / "video0").touch()
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        read_capture_modes(tmp_path / "video0")


@pytest.mark.parametrize(
    ("result", "status", "words"),
    [
        ([CaptureMode("MJPG", 64, 48, 30.0)], Status.OK, "Fake (/dev/video3): MJPG 64x48 at 30/s"),
        ([], Status.OK, "no formats listed"),
        (PermissionError(), Status.WARN, "usermod -aG video"),
        (OSError(errno.ENODEV, "No such device"), Status.WARN, "No such device"),
    ],
    ids=["ok", "no-formats", "no-permission", "disconnected"],
)
def test_camera_results(monkeypatch, tmp_path, result, status, words):
    def read(path):
        if isinstance(result, Exception):
            raise result
        return result

    camera = CameraInfo(3, tmp_path.__class__("/dev/video3"), "Fake")
    monkeypatch.setattr(cameras, "list_cameras", lambda: [camera])
    monkeypatch.setattr(cameras, "read_capture_modes", read)
    (check,) = cameras.probe()
    assert (check.name, check.status) == ("camera 3", status)
    assert words in f"{check.detail} {check.fix}"


def test_long_list_of_formats_is_shortened():
    text = cameras.describe([CaptureMode(f"F{n}", 64, 48, 0.0) for n in range(6)])
    assert text == "F0 64x48; F1 64x48; F2 64x48; F3 64x48; 2 more formats"


@pytest.mark.skipif(not os.path.exists("/usr/include/linux/videodev2.h"), reason="no kernel headers")
def test_request_numbers_contain_structure_sizes():
    sizes = {v4l2.QUERYCAP: 104, v4l2.ENUM_FMT: 64, v4l2.ENUM_FRAMESIZES: 44, v4l2.ENUM_FRAMEINTERVALS: 52}
    assert {request: request >> 16 & 0x3FFF for request in sizes} == sizes
