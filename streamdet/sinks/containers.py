"""The kinds of video file, and what their muxers are told so that times are exact and a killed process loses little."""

from dataclasses import dataclass
from fractions import Fraction

# MP4 keeps the distance of two frames in 31 bits: microseconds allow gaps of 35 minutes.
_FINEST_TIME_BASE = 1_000_000

# MPEG-4 Part 2 counts in 16 bits, while every live source counts in 1/90000. In these units frames of 15, 24, 25, 30,
# 50 and 60 per second have exact times, and of 29.97 and 59.94.
_MPEG4_TIME_BASE = 60_000
_MPEG4_FINEST = 65_535

# What a killed process loses is at most one fragment and what waits in the encoder. Half a second of the one and, as
# encoders.py has it, under half a second of the other keep both within the last second.
_FRAGMENT_US = 500_000

# A file is readable at any moment (fragments, each written out when whole) and becomes an ordinary MP4 when it is
# closed. With delay_moov the first fragment knows when the first frame is shown: without it, every recording would be
# moved to begin at 0. Without flush_packets fragments stay in memory.
_MP4 = {
    "movflags": "hybrid_fragmented+delay_moov+default_base_moof",
    "frag_duration": str(_FRAGMENT_US),
    "flush_packets": "1",
}
_MATROSKA = {"cluster_time_limit": str(_FRAGMENT_US // 1000), "flush_packets": "1"}

# A fragment that fits is handed to the operating system at once, so that a kill leaves it whole or not at all.
BUFFER_BYTES = 2**21

# Audio and video are handed over in the order of their time, so that the muxer has nothing to wait for. Its default is
# to hold up to 10 s of video for audio that may have ended.
_NO_WAITING = {"max_interleave_delta": "1"}


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file.

    Attributes:
        format: FFmpeg's name of it.
        options: what its muxer is told.
        negative_times: it can hold the start of an AAC track, which lies before 0. Where it cannot, FFmpeg would move
            everything to later times; so that start, which holds no sound, is left out.
    """

    format: str
    options: dict[str, str]
    negative_times: bool


CONTAINERS = {
    ".mp4": Container("mp4", _MP4, negative_times=True),
    ".m4v": Container("mp4", _MP4, negative_times=True),
    ".mov": Container("mov", _MP4, negative_times=True),
    ".mkv": Container("matroska", _MATROSKA, negative_times=False),
}


def recorded_time_base(time_base: Fraction, encoder: str) -> Fraction:
    """Returns the unit that a recording counts in: the source's, as long as encoder and files can hold it.

    >>> recorded_time_base(Fraction(1, 90000), "libx264"), recorded_time_base(Fraction(1, 10**9), "libx264")
    (Fraction(1, 90000), Fraction(1, 1000000))
    >>> recorded_time_base(Fraction(1, 90000), "mpeg4")
    Fraction(1, 60000)
    """
    if encoder == "mpeg4":
        return time_base if time_base.denominator <= _MPEG4_FINEST else Fraction(1, _MPEG4_TIME_BASE)
    return time_base if time_base.denominator <= _FINEST_TIME_BASE else Fraction(1, _FINEST_TIME_BASE)


def muxer_options(container: Container, time_base: Fraction) -> dict[str, str]:
    """Returns what the muxer is told for a video that counts in `time_base`."""
    if container.format == "matroska":
        return {**container.options, **_NO_WAITING}
    # The movie's own time scale, by default milliseconds, says when the first frame is shown.
    scale = str(time_base.denominator)
    return {**container.options, **_NO_WAITING, "video_track_timescale": scale, "movie_timescale": scale}
