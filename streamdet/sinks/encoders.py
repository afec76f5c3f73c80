"""Which encoder writes a video, and how FFmpeg's different encoders are told the same thing."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec import Codec, codecs_available

from streamdet.errors import HardwareError, UsageError
from streamdet.sinks.options import SinkOptions

# Tried in this order by "auto". Software only: hardware encoders differ in quality, so they are asked for by name.
_AUTO = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")
# What is offered when a name is unknown; FFmpeg has a hundred more that no camera user wants.
_OFFERED = ("264", "265", "hevc", "av1", "vp9", "mpeg4", "ffv1")
_HARDWARE = ("_nvenc", "_qsv", "_amf", "_videotoolbox", "_mf", "_v4l2m2m", "_vulkan", "_vaapi", "_d3d12va")

OPEN_ERRORS = (av.FFmpegError, OSError, ValueError, RuntimeError)
"""What opening an encoder raises. An external library's failure has no number of the system, and is no OSError."""

# Frames that x264 may look ahead. Measured on 720p of people walking, preset veryfast, quality 23, 2 cores, 240 frames:
#   10 frames: 2.45 MB, 42.1 dB, 11 frames late, 105 fps
#    5 frames: 2.33 MB, 41.2 dB,  6 frames late, 115 fps
#   none     : 2.90 MB, 41.9 dB,  0 frames late, 105 fps (tune=zerolatency)
# So ten save a sixth of the file, and fewer save nothing.
LOOKAHEAD_FRAMES = 10
_LOOKAHEAD_AT_MOST_S = 0.5

# x264 takes three threads for two cores, and fewer run where decoding and drawing want cores too. One more: 1 to 4 %
# faster in a pipeline (1080p, 2 cores), no difference alone.
_FEW_CORES = 2


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """An encoder and what it is told.

    Attributes:
        name: FFmpeg's.
        options: of this encoder, as FFmpeg reads them.
    """

    name: str
    options: dict[str, str]


def is_encoder(name: str) -> bool:
    """Returns whether this FFmpeg has a video encoder of that name."""
    if name not in codecs_available:
        return False
    try:
        return Codec(name, "w").type == "video"
    except ValueError:  # a decoder only
        return False


def available_encoders() -> list[str]:
    """Returns the names of the video encoders worth offering that this FFmpeg has."""
    return sorted(n for n in codecs_available if any(part in n for part in _OFFERED) and is_encoder(n))


def choose_encoder(options: SinkOptions) -> str:
    """Returns the name of the encoder to use, tried out where it needs hardware.

    Raises:
        UsageError: there is no such encoder; the message lists those there are.
        HardwareError: its hardware or driver does not work here.
    """
    if options.encoder == "auto":
        for name in _AUTO:
            if is_encoder(name):
                return name
    if not is_encoder(options.encoder):
        raise UsageError(
            f"no video encoder {options.encoder!r} in this FFmpeg; there are: {', '.join(available_encoders())}"
        )
    if options.encoder.endswith(_HARDWARE):
        _try_out(options)
    return Codec(options.encoder, "w").name  # "hevc" is libx265, for one


def check_container_accepts(format: str, name: str, options: SinkOptions) -> None:
    """Checks that a kind of file can be begun with an encoder's video, by beginning one in memory.

    Raises:
        UsageError: it cannot.
    """
    try:
        with av.open(io.BytesIO(), "w", format=format) as container:
            stream = container.add_stream(
                name, rate=30, options=encoder_settings(name, options, rate=None, live=True).options
            )
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 256, 256, input_format(name)
            container.start_encoding()
    except OPEN_ERRORS:
        raise UsageError(
            f"the encoder {name} cannot write {format} files; leave the encoder on auto, "
            "or give the file another ending (.mkv holds most)"
        ) from None


def _try_out(options: SinkOptions) -> None:
    context = av.CodecContext.create(options.encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    # 256x256: NVENC refuses pictures under about 145x49.
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
    """Returns the pixel format to hand to an encoder: planar 4:2:0 where it takes it, else its own 4:2:0."""
    formats = [f.name for f in Codec(name, "w").video_formats or []]
    return next((f for f in ("yuv420p", "nv12") if f in formats), "yuv420p")


def encoder_settings(name: str, options: SinkOptions, *, rate: Fraction | None, live: bool) -> EncoderSettings:
    """Returns an encoder with what it is told.

    No encoder may use B-frames (frames would be late and decode times would differ from presentation times), and a
    frame forced to be a key frame must be one that decoding can start from.

    Args:
        name: of the encoder.
        options: the user's.
        rate: frames per second as the source states it; None where it does not.
        live: the source is a camera: no frame may wait for later ones.
    """
    quality = {} if options.bitrate is not None else {"crf": str(options.quality)}
    if name in ("libx264", "libx265"):
        chosen = {"preset": options.preset, "bf": "0", "forced-idr": "1", **quality}
        if live or rate is None or LOOKAHEAD_FRAMES / rate > _LOOKAHEAD_AT_MOST_S:
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
            os.environ.setdefault("SVT_LOG", "1")  # errors; it prints its settings otherwise, and has no option for it
            return EncoderSettings(name, {"preset": "10", **quality})
        return EncoderSettings(name, {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", **quality})
    if name == "mpeg4":
        # Its own scale is 1 to 31 and doubles the size about every 6 steps less of ours.
        scale = max(1, min(31, round(2 ** (options.quality / 6) / 4)))
        return EncoderSettings(name, {} if options.bitrate is not None else {"qmin": str(scale), "qmax": str(scale)})
    return EncoderSettings(name, {})
