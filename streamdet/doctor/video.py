"""The libraries that read and write video: PyAV with its FFmpeg and encoders; OpenCV, whose FFmpeg is not used."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from fractions import Fraction

from streamdet.doctor.check_result import CheckResult, Status, one_line

# Older versions are a risk with network streams: they lack FFmpeg's fixes of 2026, and PyAV's for streams freed early.
_MIN_AV = (18, 1)
_BEST_AV = (19, 0, 2)
_BEST_PYTHON = (3, 12)  # PyAV 19 has no wheel for older ones

_REINSTALL_AV = "pip install --force-reinstall --only-binary=:all: av (the wheel from PyPI contains FFmpeg and libx264)"

_SOFTWARE = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "libopenh264", "mpeg4")


def probe(_: str = "") -> Iterator[CheckResult]:
    """Checks PyAV, and tests each of its encoders with one picture."""
    yield _opencv()  # before PyAV: in the reverse order windows can hang on Linux
    try:
        import av
    except ImportError as error:
        yield CheckResult("video", Status.FAIL, f"PyAV cannot be imported: {one_line(error)}", _REINSTALL_AV)
        return
    yield check_version(av.__version__, str(getattr(av, "ffmpeg_version_info", "unknown")), sys.version_info[:2])
    yield _encoders()


def check_version(version: str, ffmpeg: str, python: tuple[int, ...]) -> CheckResult:
    """Checks the version of PyAV: a camera or server on the network can exploit defects of its FFmpeg."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    detail = f"PyAV {version} with FFmpeg {ffmpeg}"
    if numbers >= _BEST_AV:
        return CheckResult("video", Status.OK, detail)
    if python >= _BEST_PYTHON:
        best = ".".join(map(str, _BEST_AV))
        reason = "known security holes" if numbers < _MIN_AV else "defects with streams that reconnect often"
        return CheckResult("video", Status.WARN, f"{detail}: {reason}", f'pip install --upgrade "av>={best}"')
    if numbers < _MIN_AV:
        return CheckResult("video", Status.WARN, f"{detail}: known security holes", 'pip install --upgrade "av>=18.1"')
    fix = "use Python 3.12 or 3.13: PyAV 19 (FFmpeg 9) is safer with network cameras, and leaks less"
    return CheckResult("video", Status.WARN, f"{detail}, the newest for this Python", fix)


def _encoders() -> CheckResult:
    from streamdet.sinks.encoders import is_encoder

    results = {name: encoder_error(name) for name in _SOFTWARE if is_encoder(name)}
    working = [name for name, reason in results.items() if reason is None]
    detail = ", ".join(working) or "none"
    if broken := [f"{name} ({reason})" for name, reason in results.items() if reason is not None]:
        detail += f"; these fail: {', '.join(broken)}"
    if any("264" in name for name in working):
        return CheckResult("video encoders", Status.OK, detail)
    status = Status.WARN if working else Status.FAIL
    return CheckResult("video encoders", status, f"{detail}; no H.264, so recordings are larger", _REINSTALL_AV)


def encoder_error(name: str) -> str | None:
    """Returns why an encoder cannot encode one small picture; None if it can."""
    import av

    from streamdet.sinks.encoders import OPEN_ERRORS, encoder_settings, input_format
    from streamdet.sinks.options import SinkOptions

    try:
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)
        # 256x256: NVENC refuses pictures under about 145x49.
        context.width, context.height, context.time_base, context.framerate = 256, 256, Fraction(1, 30), Fraction(30)
        context.options = encoder_settings(name, SinkOptions(), rate=None, live=True).options
        context.pix_fmt = input_format(name)
        frame = av.VideoFrame(256, 256, context.pix_fmt)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.time_base = 0, Fraction(1, 30)
        packets = [*context.encode(frame), *context.encode(None)]
    except OPEN_ERRORS as error:
        return getattr(error, "strerror", None) or type(error).__name__
    return None if any(packet.size for packet in packets) else "it produces no output"


def _opencv() -> CheckResult:
    try:
        import cv2
    except ImportError as error:  # minimal containers lack these two system libraries
        packages = " (on Debian and Ubuntu: apt install libgl1 libglib2.0-0)" if ".so" in str(error) else ""
        fix = f"pip install --force-reinstall opencv-python{packages}"
        return CheckResult("opencv", Status.FAIL, f"OpenCV cannot be imported: {one_line(error)}", fix)
    return CheckResult("opencv", Status.OK, describe_opencv(cv2.__version__, cv2.getBuildInformation()))


def describe_opencv(version: str, information: str) -> str:
    """Returns the relevant parts of OpenCV's build information; what it does not contain is left out."""
    codec = re.search(r"avcodec:\s+YES \(([\d.]+)\)", information)
    ffmpeg = f"; its FFmpeg (avcodec {codec[1]}) is not used" if codec else ""
    gui = re.search(r"GUI:\s+(\w+)", information)
    windows = f", windows with {gui[1]}" if gui and gui[1] != "NONE" else ", without windows"
    return f"OpenCV {version}{windows}{ffmpeg}"
