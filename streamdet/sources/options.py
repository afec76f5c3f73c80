"""Options for opening and reading sources: one value object for all kinds of source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from streamdet.errors import ConfigError

MIN_IMAGE_FPS, MAX_IMAGE_FPS = 0.001, 1000
"""From a quarter of an hour to a millisecond per image: every container can represent these time bases."""


@dataclass(frozen=True, slots=True)
class BackoffOptions:
    """How long to wait between attempts to reconnect a lost stream.

    Attributes:
        first_s: wait before the first attempt; doubled after each failed attempt.
        cap_s: longest wait. A camera takes 40 to 60 s to reboot, which is within two such waits.
        jitter: each wait is changed at random by up to this fraction, so that many cameras do not reconnect at once.
        healthy_s: a stream that ran this long is healthy again: after the next loss the waits start at `first_s`.
        auth_s: shortest wait after refused credentials: cameras lock an account after a few quick attempts.
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
    """How to open and read a source. Each kind of source ignores the options that do not apply to it.

    Attributes:
        size: (width, height) to request from a camera; None uses the camera's default.
        fps: frame rate to request from a camera; None uses the camera's default.
        pixel_format: FOURCC to request from a camera, "MJPG" or "YUYV"; USB cameras reach HD rates only with MJPG.
        rtsp_transport: "tcp" loses no data; "udp" is for networks where a late frame is worse than a damaged one.
        open_timeout_s: limit for connecting, and again for probing the stream.
        read_timeout_s: longest time without data on a network stream; also limits how long a stop can take.
        stall_timeout_s: longest time without a decoded frame while data arrives.
        realtime: play sources that are not live (files, images, `synthetic:`) at the speed of their timestamps.
        reconnect: reconnect a lost network stream instead of ending with an error.
        wait_for_source: also retry if the first connection fails; otherwise that is an immediate error.
        backoff: waits between attempts to reconnect.
        max_pixels: largest picture that is decoded, in pixels; protects against streams made to fill the memory.
        image_fps: frame rate of a sequence of still images, 0.001 to 1000.
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
        if not MIN_IMAGE_FPS <= self.image_fps <= MAX_IMAGE_FPS:
            raise ConfigError(
                f"source.image_fps must be from {MIN_IMAGE_FPS} to {MAX_IMAGE_FPS}, got {self.image_fps}: "
                "for two seconds per image write 0.5"
            )
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


def _positive(section: str, options: object, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if not value > 0:
            raise ConfigError(f"{section}.{name} must be greater than 0, got {value}")
        if value == math.inf:
            raise ConfigError(f"{section}.{name} must be finite, got inf: give a large number")
