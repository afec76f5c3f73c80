"""How frames and detections meet, and which way suits a stream whose user asks for none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from streamdet.sinks.base import Sink


class Mode(Enum):
    """How frames and detections meet.

    EVERY_FRAME: each frame waits for its own detections. LIVE: every frame is shown at once, boxes are moved to it.
    SMOOTH: every frame is shown a stated time after it came, with boxes between the detections before and after it.
    """

    EVERY_FRAME = "every-frame"
    LIVE = "live"
    SMOOTH = "smooth"


class Use(Enum):
    """What becomes of the results of one stream.

    KEPT: pictures are kept for later, and nobody waits for them. NOW: somebody watches, or a program may act on what it
    gets. UNSEEN: there are no pictures.
    """

    KEPT = "kept"
    NOW = "now"
    UNSEEN = "unseen"

    @classmethod
    def of(cls, sinks: Sequence[Sink]) -> Use:
        """Returns the use that the sinks of one stream make of it: one that waits is enough."""
        if not all(sink.tolerates_delay for sink in sinks):
            return cls.NOW
        return cls.KEPT if any(sink.needs_annotated for sink in sinks) else cls.UNSEEN


@dataclass(frozen=True, slots=True)
class Pace:
    """How detection goes on for one stream.

    Attributes:
        interval_s: from one frame that is looked at to the next.
        latency_s: from a frame that is looked at to its detections.
    """

    interval_s: float
    latency_s: float

    @property
    def delay_s(self) -> float:
        """How long a frame should wait for the detections after it, in whole tenths.

        At worst it comes right after a frame that is looked at: then an interval passes, and the latency. A second
        interval is for what was not there when the pace was measured: decoding and encoding on the same processor.
        """
        return math.ceil(10 * (2 * self.interval_s + self.latency_s) - 1e-6) / 10


@dataclass(frozen=True, slots=True)
class Choice:
    """How frames and detections meet in one stream.

    Attributes:
        mode: the way.
        delay_s: how long frames wait in smooth mode.
        why: for people; "" where it was asked for.
    """

    mode: Mode
    delay_s: float = 0.0
    why: str = ""


MOST_DELAY_S = 5.0
"""Longest delay of smooth mode: frames that wait are pictures in memory."""

CAMERA_HZ = 60.0
"""Frames per second that a live source is taken to have: it says so only once it is open. Too many for most cameras,
which makes a recording wait for better boxes where it need not: that costs it nothing. Too few would cost it: on a
street at 60 frames/s and 30 detections/s boxes overlap the truth by 0.89 live and 0.98 smooth."""


def choose(*, live: bool, use: Use, frames_hz: float | None, pace: Pace | None, most_s: float) -> Choice:
    """Returns the way that suits a stream. It holds for the whole run.

    A delay is worth something only to who keeps pictures and does not wait for them: a recording is the same whenever
    it is written. Who watches, steers or acts on results cannot know that they are late, so they never are unless
    `--mode smooth` asks for it.

    Args:
        live: the source gives frames whether or not they are taken.
        use: what becomes of them.
        frames_hz: of the source; None where it was not asked for a rate.
        pace: of detection; looked at only for what is live and kept. None where nothing is detected.
        most_s: the longest delay.
    """
    if not live:
        return Choice(Mode.EVERY_FRAME, why="not live, so each frame waits for its own detections")
    if use is Use.NOW:
        return Choice(Mode.LIVE, why="not only recorded, so nothing may be late; --mode smooth has better boxes, later")
    if use is Use.UNSEEN or pace is None:
        return Choice(Mode.LIVE, why="no boxes are recorded in pictures, so a delay gains nothing")
    rate_hz = 1 / pace.interval_s
    found = f"{rate_hz:.{1 if rate_hz < 10 else 0}f} detections/s"
    frames = f"{frames_hz or CAMERA_HZ:g} frames/s" + ("" if frames_hz else " that a camera may have")
    if rate_hz >= (frames_hz or CAMERA_HZ):  # at 2/3 of it, a delay still brings IoU from 0.88 to 0.99 (people walking)
        return Choice(Mode.LIVE, why=f"{found} keep up with the {frames}")
    if pace.delay_s > most_s:
        needed = f"{found} would need a delay of {pace.delay_s:g} s, more than {most_s:g}"
        asked = f"; --mode smooth --delay {pace.delay_s:g} asks for it" if pace.delay_s <= MOST_DELAY_S else ""
        return Choice(Mode.LIVE, why=needed + asked)
    why = f"recorded only, and {found} are fewer than the {frames}; --mode live delays nothing"
    return Choice(Mode.SMOOTH, pace.delay_s, why)
