"""Video container formats, with muxer options for exact timestamps and little loss if the process is killed."""

from dataclasses import dataclass
from fractions import Fraction

# MP4 stores the interval between two frames in 31 bits: with microseconds, gaps of up to 35 minutes are possible.
_FINEST_TIME_BASE = 1_000_000

# The time base of MPEG-4 Part 2 has 16 bits, while that of live sources is 1/90000. With 1/60000 the times of frames at
# 15, 24, 25, 30, 50, 60, 29.97 and 59.94 per second are exact.
_MPEG4_TIME_BASE = 60_000
_MPEG4_FINEST_TIME_BASE = 65_535

# A killed process loses at most one fragment and the frames in the encoder. The fragment is half a second long and the
# encoder delays by less than half a second (see encoders.py), so at most the last second is lost.
_FRAGMENT_US = 500_000

# The file is readable at any moment, because each complete fragment is written at once. Closing turns it into an
# ordinary MP4. With delay_moov the first fragment stores the time of the first frame; without it, every recording would
# be moved to start at 0. Without flush_packets, fragments stay in memory.
_MP4 = {
    "movflags": "hybrid_fragmented+delay_moov+default_base_moof",
    "frag_duration": str(_FRAGMENT_US),
    "flush_packets": "1",
}
_MATROSKA = {"cluster_time_limit": str(_FRAGMENT_US // 1000), "flush_packets": "1"}

# A fragment that fits into this buffer reaches the operating system in one write: a kill leaves it complete or absent.
BUFFER_BYTES = 2**21

# Audio and video packets are muxed in order of their time, so the muxer need not wait for either. By default it buffers
# up to 10 s of video while it waits for audio that may have ended.
_NO_INTERLEAVE_DELAY = {"max_interleave_delta": "1"}


@dataclass(frozen=True, slots=True)
class Container:
    """A container format.

    Attributes:
        format: its name in FFmpeg.
        options: options of its muxer.
        negative_times: the format supports timestamps below 0, where an AAC track starts. Otherwise FFmpeg would shift
            all timestamps, so the start of the track, which is silent, is dropped.
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
    """Returns the time base of a recording: that of the source, if encoder and container support it.

    >>> recorded_time_base(Fraction(1, 90000), "libx264"), recorded_time_base(Fraction(1, 10**9), "libx264")
    (Fraction(1, 90000), Fraction(1, 1000000))
    >>> recorded_time_base(Fraction(1, 90000), "mpeg4")
    Fraction(1, 60000)
    """
    if encoder == "mpeg4":
        return time_base if time_base.denominator <= _MPEG4_FINEST_TIME_BASE else Fraction(1, _MPEG4_TIME_BASE)
    return time_base if time_base.denominator <= _FINEST_TIME_BASE else Fraction(1, _FINEST_TIME_BASE)


def muxer_options(container: Container, time_base: Fraction) -> dict[str, str]:
    """Returns the muxer options for a video with this time base."""
    if container.format == "matroska":
        return {**container.options, **_NO_INTERLEAVE_DELAY}
    # The time scale of the movie, by default milliseconds, limits the precision of the first frame's time.
    scale = str(time_base.denominator)
    return {**container.options, **_NO_INTERLEAVE_DELAY, "video_track_timescale": scale, "movie_timescale": scale}
