"""A frame on its way from capture to rendering, with the decision whether the detector runs on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from streamdet.types import Frame


class Verdict(Enum):
    """Whether the detector runs on a frame, or why not; the value is the cause in the report.

    INFER: the detector runs on it. TOO_SOON: the last frame that it ran on is too recent. STILL: nothing has changed
    since that frame.
    """

    INFER = "infer"
    TOO_SOON = "rate"
    STILL = "still"


@dataclass(slots=True)
class CapturedFrame:
    """A frame and its verdict. The capture thread creates it; once it is queued, it belongs to the render thread.

    Attributes:
        frame: the frame.
        verdict: whether the detector runs on it.
        reusable_index: with STILL, the index of the last frame that the detector ran on, whose detections are valid for
            this one too; otherwise -1.
        reused_age_s: how much older that frame is, once its detections were reused; None before.
    """

    frame: Frame
    verdict: Verdict = Verdict.INFER
    reusable_index: int = -1
    reused_age_s: float | None = None
