"""How sources are opened and read: one value object, the same for every kind of source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from streamdet.errors import ConfigError

MAX_SIDE_PX = 16384
"""Longest side of a picture. H.264 and HEVC encoders end here, and OpenCV's remap counts in 16 bits."""


@dataclass(frozen=True, slots=True)
class BackoffOptions:
    """How long to wait between attempts to get a lost stream back.

    Attributes:
        first_s: before the first attempt; doubled after each that fails.
        cap_s: the longest wait. A camera that reboots is back in 40 to 60 s: within two such waits.
        jitter: every wait is changed at random by up to this share, so that many cameras do not come back at once.
        healthy_s: a stream that ran this long counts as well again: the next loss starts at `first_s`.
        auth_s: the shortest wait after refused credentials: cameras lock an account after a few quick attempts.
    """

    first_s: float = 1.0
    cap_s: float = 30.0
    jitter: float = 0.2
    healthy_s: float = 60.0
    auth_s: float = 30.0

    def __post_init__(self) -> None:
        _positive("backoff", self, "first_s", "cap_s", "healthy_s", "auth_s")
        if not 0 <= self.jitter < 1:
            raise ConfigError(f"backoff.jitter must be in [0, 1), got {self.jitter}")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to open and read a source. What does not concern a kind of source is ignored by it.

    Attributes:
        size: (width, height) to ask a camera for; None takes its default.
        fps: rate to ask a camera for; None takes its default.
        pixel_format: four letters to ask a camera for, "MJPG" or "YUYV"; USB cameras reach HD rates only with MJPG.
        rtsp_transport: "tcp" loses nothing; "udp" is for networks where a late frame is worse than a broken one.
        open_timeout_s: for connecting, and once more for finding out what the stream holds.
        read_timeout_s: longest silence of a network stream; also bounds how long a stop can take.
        stall_timeout_s: longest time without a decoded picture although data arrives.
        realtime: play what is not live (files, images, `synthetic:`) by its timestamps, as if it were.
        reconnect: get a lost network stream back instead of ending with an error.
        wait_for_source: also keep trying when the first connection fails; otherwise that is an error at once.
        backoff: waits between attempts.
        max_pixels: largest picture that is decoded; a guard against streams made to fill the memory.
        image_fps: pictures per second that still images stand for.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    pixel_format: str | None = None
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    open_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    stall_timeout_s: float = 10.0
    realtime: bool = False
    reconnect: bool = True
    wait_for_source: bool = False
    backoff: BackoffOptions = field(default_factory=BackoffOptions)
    max_pixels: int = 7680 * 4320
    image_fps: float = 1.0

    def __post_init__(self) -> None:
        _positive("source", self, "open_timeout_s", "read_timeout_s", "stall_timeout_s", "max_pixels", "image_fps")
        if self.fps is not None:
            _positive("source", self, "fps")
        if self.size is not None and min(self.size) < 1:
            raise ConfigError(
                f"source.size must be positive, got {self.size[0]}x{self.size[1]}: write for example 1280x720"
            )
        if self.pixel_format is not None and len(self.pixel_format) != 4:
            raise ConfigError(f"source.pixel_format must be four letters like MJPG or YUYV, got {self.pixel_format!r}")
        if self.rtsp_transport not in ("tcp", "udp"):
            raise ConfigError(f"source.rtsp_transport must be tcp or udp, got {self.rtsp_transport!r}")


def _positive(where: str, options: object, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if not value > 0:
            raise ConfigError(f"{where}.{name} must be greater than 0, got {value}")
