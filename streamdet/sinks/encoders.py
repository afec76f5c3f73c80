"""Chooses the video encoder, and translates `SinkOptions` into the options of FFmpeg's encoders."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec import Codec, codecs_available

from streamdet.errors import HardwareError, UsageError
from streamdet.sinks.options import SinkOptions

# Order of preference of "auto". Hardware encoders differ in quality and must be chosen by name.
_AUTO = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")
# Encoders listed in the message about an unknown name. FFmpeg has a hundred more, not useful for camera video.
_LISTED = ("264", "265", "hevc", "av1", "vp9", "mpeg4", "ffv1")
_HARDWARE = ("_nvenc", "_qsv", "_amf", "_videotoolbox", "_mf", "_v4l2m2m", "_vulkan", "_vaapi", "_d3d12va")

OPEN_ERRORS = (av.FFmpegError, OSError, ValueError, RuntimeError)
"""Exceptions of opening an encoder. Failures of external libraries have no errno and are not an OSError."""

# Lookahead of x264. Measured on 720p of people walking, preset veryfast, quality 23, 2 cores, 240 frames:
#   10 frames: 2.45 MB, 42.1 dB, 11 frames of delay, 105 fps
#    5 frames: 2.33 MB, 41.2 dB,  6 frames of delay, 115 fps
#   none     : 2.90 MB, 41.9 dB,  0 frames of delay, 105 fps (tune=zerolatency)
# A lookahead of 10 makes the file a sixth smaller at the same quality; a shorter one gains nothing.
LOOKAHEAD_FRAMES = 10
_MAX_LOOKAHEAD_S = 0.5

# On two cores x264 starts three threads, and some of them wait while decoding and drawing use the cores. With one more
# thread a pipeline is 1 to 4 % faster (1080p, 2 cores); encoding alone is not.
_FEW_CORES = 2


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """An encoder with its options.

    Attributes:
        name: its name in FFmpeg.
        options: its options, in FFmpeg's syntax.
    """

    name: str
    options: dict[str, str]


def is_encoder(name: str) -> bool:
    """Returns whether this FFmpeg has a video encoder of that name."""
    if name not in codecs_available:
        return False
    try:
        return Codec(name, "w").type == "video"
    except ValueError:  # it is only a decoder
        return False


def available_encoders() -> list[str]:
    """Returns the names of this FFmpeg's video encoders that are useful for camera video."""
    return sorted(n for n in codecs_available if any(part in n for part in _LISTED) and is_encoder(n))


def choose_encoder(options: SinkOptions) -> str:
    """Returns the name of the encoder to use. A hardware encoder is opened once, to check that it works.

    Raises:
        UsageError: there is no such encoder; the message lists the available ones.
        HardwareError: the hardware or driver of the encoder does not work.
    """
    if options.encoder == "auto":
        for name in _AUTO:
            if is_encoder(name):
                return name
    if not is_encoder(options.encoder):
        raise UsageError(
            f"no video encoder {options.encoder!r} in this FFmpeg; available: {', '.join(available_encoders())}"
        )
    if options.encoder.endswith(_HARDWARE):
        _check_hardware(options)
    return Codec(options.encoder, "w").name  # an alias such as "hevc" becomes "libx265"


def check_container_accepts(format: str, name: str, options: SinkOptions) -> None:
    """Checks that a container accepts an encoder's video, by starting a file in memory.

    Raises:
        UsageError: the container does not accept it.
    """
    try:
        with av.open(io.BytesIO(), "w", format=format) as container:
            stream = container.add_stream(
                name, rate=30, options=encoder_settings(name, options, rate=None, live=True).options
            )
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 256, 256, input_format(name)
            with normal_scheduling():
                container.start_encoding()
    except OPEN_ERRORS:
        raise UsageError(
            f"{format} files do not support the encoder {name}; leave the encoder on auto, "
            "or use another kind of file (.mkv supports most encoders)"
        ) from None


def _check_hardware(options: SinkOptions) -> None:
    context = av.CodecContext.create(options.encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    # 256x256, because NVENC refuses frames smaller than about 145x49.
    context.width, context.height, context.time_base, context.framerate = 256, 256, Fraction(1, 30), Fraction(30)
    context.options = encoder_settings(options.encoder, options, rate=None, live=True).options
    try:
        context.pix_fmt = input_format(options.encoder)
        context.open()
    except OPEN_ERRORS as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise HardwareError(
            f"the encoder {options.encoder} does not work on this machine ({reason}); "
            "check its driver, or leave the encoder on auto"
        ) from None


def input_format(name: str) -> str:
    """Returns the pixel format for an encoder: NV12 if it supports only that, else planar 4:2:0."""
    formats = [f.name for f in Codec(name, "w").video_formats or []]
    return next((f for f in ("yuv420p", "nv12") if f in formats), "yuv420p")


def encoder_settings(name: str, options: SinkOptions, *, rate: Fraction | None, live: bool) -> EncoderSettings:
    """Returns an encoder with its options.

    No encoder may use B-frames, because they delay frames and make decode times differ from presentation times. A frame
    that is forced to be a key frame must be one at which decoding can start.

    Args:
        name: name of the encoder.
        options: the user's options.
        rate: frames per second according to the source; None if unknown.
        live: the source is a camera: no frame may wait for later ones.
    """
    quality = {} if options.bitrate is not None else {"crf": str(options.quality)}
    if name in ("libx264", "libx265"):
        chosen = {"preset": options.preset, "bf": "0", "forced-idr": "1", **quality}
        if live or rate is None or LOOKAHEAD_FRAMES / rate > _MAX_LOOKAHEAD_S:
            chosen["tune"] = "zerolatency"
        elif name == "libx264":
            chosen["rc-lookahead"] = str(LOOKAHEAD_FRAMES)
            if not options.threads and (cores := os.cpu_count() or 1) <= _FEW_CORES:
                chosen["threads"] = str(3 * cores // 2 + 1)
        if name == "libx265":
            chosen["x265-params"] = "log-level=none"
        return EncoderSettings(name, chosen)
    if name.endswith("_nvenc"):
        fixed = {} if options.bitrate is not None else {"rc": "vbr", "cq": str(options.quality)}
        return EncoderSettings(
            name, {"preset": "p4", "tune": "ll", "bf": "0", "forced-idr": "1", "delay": "0", **fixed}
        )
    if name.endswith("_qsv"):
        fixed = {} if options.bitrate is not None else {"global_quality": str(options.quality)}
        return EncoderSettings(name, {"bf": "0", "forced_idr": "1", "async_depth": "1", **fixed})
    if name in ("libsvtav1", "libaom-av1", "libvpx-vp9", "libvpx"):
        if name == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only; it has no option for that, and prints its settings
            return EncoderSettings(name, {"preset": "10", **quality})
        return EncoderSettings(name, {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", **quality})
    if name == "mpeg4":
        # Its scale is 1 to 31. On our scale the file size doubles for about every 6 steps down.
        scale = max(1, min(31, round(2 ** (options.quality / 6) / 4)))
        return EncoderSettings(name, {} if options.bitrate is not None else {"qmin": str(scale), "qmax": str(scale)})
    return EncoderSettings(name, {})


@contextmanager
def normal_scheduling() -> Iterator[None]:
    """Undoes a change of the scheduling policy inside the block, of this thread and of threads started in it.

    For a superuser, SVT-AV1 makes the thread that opens it and its own threads real-time threads (SCHED_FIFO 99). They
    would then stop every other thread of a small machine, capture and inference included.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = set(os.listdir("/proc/self/task"))
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            for thread in ["0", *set(os.listdir("/proc/self/task")) - before]:
                with contextlib.suppress(OSError):  # the thread has ended
                    os.sched_setscheduler(int(thread), policy, parameters)
