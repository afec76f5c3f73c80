"""Options of the tracker."""

import math
from dataclasses import dataclass, fields
from typing import Self

from streamdet.errors import ConfigError

HIGH_SCORE_SHARE, LOW_SCORE_SHARE = 0.7, 0.4
"""`high_score` and `low_score` as shares of the minimum score of a new object."""


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Options of `ByteTracker`. `associate` states how the defaults were measured.

    Attributes:
        high_score: detections of at least this score are matched first, and to all tracks.
        low_score: detections between this and `high_score` only continue seen tracks; lower scores are ignored.
        new_track_score: minimum score of an unmatched detection to start a track.
        confirm_score: a new track is confirmed at once if its first detection has at least this score.
        confirm_hits: number of detections in consecutive updates that confirm any other new track; one more if its box
            lies inside that of a seen object. Only confirmed tracks are shown.
        confirm_wait_s: if updates are further apart than this, new tracks are confirmed at once: at two detections per
            second, waiting for a second one would hide every new object for half a second.
        match_high: minimum similarity, weighted with the score, of a high-score detection and a track.
        match_low: minimum similarity of a low-score detection and a track that the last update saw.
        match_new: minimum similarity, weighted with the score, of a high-score detection and a tentative track.
        max_lost_s: seconds for which a lost track can be continued by position. Longer is no better: after 2 s many
            ids go to other objects (IDF1 as in `associate`: 0.683, 0.857, 0.832).
        reidentify_s: the same for a track whose appearance matches a new object, see `reidentify`.
        appearance: use the appearance of objects if the tracker gets pictures, see `appearance`.
        max_gap_s: after this many seconds without an update all tracks are removed.
        coast_s: seconds for which `predict` still shows a track that the last update did not see.
        damping_s: time constant with which predicted boxes come to rest, because people stop and turn. Mean IoU with
            the ground truth half a second ahead, at 2 detections per second, for 0.7, 2 and 8 s: on TUD-Campus 0.219,
            0.251, 0.263, on streets 0.332, 0.412, 0.454; with later detections of four MOT15 sequences 0.425, 0.451,
            0.454. The longest is better for objects that go straight, and already worse where the camera moves.
        score_half_life_s: seconds without a detection in which the shown score halves.
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
        """Returns options for a detector whose minimum score of an object is `score`.

        A track starts with such a detection and continues with lower scores, as in ByteTrack. On 24 street scenes with
        `ssd-demo`, one score for both reached IDF1 0.822, this 0.848; on TUD-Campus there is no difference. The
        detector must report everything down to the `low_score` of the result.
        """
        return cls(
            high_score=HIGH_SCORE_SHARE * score,
            low_score=LOW_SCORE_SHARE * score,
            new_track_score=score,
            confirm_score=max(0.8, score),
            class_agnostic=class_agnostic,
        )
