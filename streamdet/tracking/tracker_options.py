"""What a user may change about tracking."""

import math
from dataclasses import dataclass, fields
from typing import Self

from streamdet.errors import ConfigError

HIGH_SCORE_SHARE, LOW_SCORE_SHARE = 0.7, 0.4
"""Shares of the score that begins an object, from which on detections are strong, and from which on they count."""


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Options of `ByteTracker`; the defaults were measured as told in `ByteTracker`.

    Attributes:
        high_score: detections from here on are matched first, and to every track.
        low_score: detections between this and `high_score` only keep seen tracks alive; weaker ones are not looked at.
        new_track_score: an unmatched detection needs this to start a track.
        confirm_score: a new track whose first detection reaches this is confirmed at once.
        confirm_hits: detections a less sure new track needs, in updates in a row, before it is shown; one more where
            its box lies inside that of a seen object.
        confirm_wait_s: where updates are further apart than this, new tracks are confirmed at once: at two detections
            per second, waiting for a second one would hide every object for half a second.
        match_high: least similarity, weighted with the score, of a strong detection and a track.
        match_low: least similarity of a weak detection and a track that the last update saw.
        match_new: least similarity, weighted with the score, of a strong detection and a track that is not confirmed.
        max_lost_s: seconds that a track which is not seen is kept, to be found again by its place. Longer is no
            better: after 2 s many ids go to somebody else (IDF1 as in `associate`: 0.683, 0.857,
            0.832).
        reidentify_s: the same where the look is known and a new object looks like it: see `find_again`.
        appearance: look at the pictures, where the tracker is given any: see `appearance`.
        max_gap_s: after this many seconds without an update everything is forgotten.
        coast_s: seconds that `predict` still shows a track which the last update did not see.
        damping_s: time constant with which a box that `predict` shows comes to rest, because people stop and turn. Mean
            IoU with the truth half a second ahead, at 2 detections per second, for 0.7, 2 and 8 s: on TUD-Campus 0.219,
            0.251, 0.263, on streets 0.332, 0.412, 0.454; with later detections of four MOT15 sequences 0.425, 0.451,
            0.454. The longest gains on who goes straight on, and where the camera moves it already loses.
        score_half_life_s: the shown score halves with every so many seconds since the last detection.
        class_agnostic: a track may change its class; otherwise classes never match each other.
    """

    high_score: float = 0.5
    low_score: float = 0.1
    new_track_score: float = 0.6
    confirm_score: float = 0.8
    confirm_hits: int = 2
    confirm_wait_s: float = 0.15
    match_high: float = 0.2
    match_low: float = 0.5
    match_new: float = 0.25
    max_lost_s: float = 1.0
    reidentify_s: float = 2.0
    appearance: bool = True
    max_gap_s: float = 5.0
    coast_s: float = 0.5
    damping_s: float = 2.0
    score_half_life_s: float = 2.0
    class_agnostic: bool = False

    def __post_init__(self) -> None:
        for option in fields(TrackerOptions):  # a subclass may add fields of other types
            value = getattr(self, option.name)
            if not math.isfinite(value) or value < 0:
                raise ConfigError(f"tracker.{option.name}: must be a number >= 0, got {value}")
        if self.low_score > self.high_score:
            raise ConfigError(f"tracker.low_score: must be <= high_score ({self.high_score}), got {self.low_score}")
        if self.confirm_hits < 1:
            raise ConfigError(f"tracker.confirm_hits: must be at least 1, got {self.confirm_hits}")
        for name in ("damping_s", "score_half_life_s"):
            if getattr(self, name) == 0:
                raise ConfigError(f"tracker.{name}: must be greater than 0, got 0")

    @classmethod
    def for_threshold(cls, score: float, class_agnostic: bool = False) -> Self:
        """Returns options for a detector whose detections count as objects from `score` on.

        An object begins with such a detection. What is tracked goes on with weaker ones, as ByteTrack has it: on 24
        street scenes with `ssd-demo`, beginning and going on at one score reached IDF1 0.822, this 0.848; TUD-Campus
        tells no difference. Ask the detector for everything down to `low_score` of what is returned.
        """
        return cls(
            high_score=HIGH_SCORE_SHARE * score,
            low_score=LOW_SCORE_SHARE * score,
            new_track_score=score,
            confirm_score=max(0.8, score),
            class_agnostic=class_agnostic,
        )
