"""ByteTrack over a Kalman filter in real seconds: lasting ids, and boxes for any time."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture
from streamdet.tracking.associate import MatchLimits
from streamdet.tracking.camera_compensation import Affine, compensate_camera_motion, validated_affine
from streamdet.tracking.detection_arrays import DetectionArrays
from streamdet.tracking.kalman import MotionModel, predict_boxes
from streamdet.tracking.lifecycle import StartRules, advance_tracks, start_tracks
from streamdet.tracking.matching import Mask, nested_in_tracked
from streamdet.tracking.tracker_options import TrackerOptions
from streamdet.tracking.tracks import Tracks, shown_tracks
from streamdet.tracking.update import match_and_update
from streamdet.types import Detections

MOTION_MODEL = MotionModel(
    measurement_std=0.05,
    position_noise=0.1,
    velocity_noise=0.5,
    initial_velocity_std=2.0,
    center_decay_s=8.0,
    size_decay_s=0.2,
)
"""Fitted to the overlap of predicted boxes with later detections, on 210 tracks of five MOT15 sequences (Faster R-CNN)
and three videos (YOLOX-nano), predicted 0.04, 0.1, 0.2 and 0.5 s ahead with detections as many seconds apart. Mean IoU
0.724, of boxes that do not move 0.654. The optimum is flat (a value halved or doubled costs 0.012 at most, most of them
less than 0.004), so nothing depends on these sequences.

Two values are exceptions. They affect identities more than box positions (mean IoU 0.674 with either value, on 156
tracks of the five sequences), so identities decided; IDF1 as measured in `associate`. An initial velocity of 0.7 sides
per second fits people (0.671, 0.868, 0.807), 2.0 also fits cars and cyclists (0.680, 0.867, 0.856). A center decay of
4 s gives 0.678, 0.864, 0.849, and 8 s the values above."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackSnapshot:
    """All tracks as parallel arrays at the time of the last update; copies, the caller's own.

    Attributes:
        time_s: time of the last update; NaN before the first.
        ids: (N,) int64, oldest first.
        states: (N,) int8, values of `TrackState`.
        boxes_xyxy: (N, 4) float32 in pixels.
        velocities_px_s: (N, 2) float32, of the center.
        class_ids: (N,) int32.
        scores: (N,) float32, of the last detection.
        ages_s: (N,) float64, seconds since the first detection.
        unseen_s: (N,) float64, seconds since the last detection.
        hits: (N,) int64, detections so far.
    """

    time_s: float
    ids: NDArray[np.int64]
    states: NDArray[np.int8]
    boxes_xyxy: NDArray[np.float32]
    velocities_px_s: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    ages_s: NDArray[np.float64]
    unseen_s: NDArray[np.float64]
    hits: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


class ByteTracker:
    """Gives detections lasting ids, and predicts boxes for any time.

    Ids count up from 1 within one tracker, are never used twice, and are not shared with other trackers. Times are the
    source's own in seconds; steps may be irregular. Not thread-safe: use one tracker from one thread.

    The shown box is the filter's, not the detection's. On TUD-Campus it overlaps the ground truth more (mean IoU 0.739
    against 0.715, and 0.732 halfway between them, of boxes on a person), and its size jitters less than a third as
    much.
    """

    def __init__(self, options: TrackerOptions | None = None, motion: MotionModel = MOTION_MODEL) -> None:
        self.options = options = options or TrackerOptions()
        self._motion = motion
        self._shown_motion = motion._replace(center_decay_s=options.damping_s)
        # Types as when kernels were compiled: an int where a float is meant would compile them again.
        self._limits = MatchLimits(
            class_agnostic=bool(options.class_agnostic),
            high_score=float(options.high_score),
            match_high=float(options.match_high),
            match_low=float(options.match_low),
            match_new=float(options.match_new),
            new_track_score=float(options.new_track_score),
            max_lost_s=float(options.max_lost_s),
        )
        self._start_rules = StartRules(
            float(options.new_track_score), float(options.confirm_score), int(options.confirm_hits)
        )
        self._next_id = 1
        self.reset()

    def warm_up(self) -> None:
        """Compiles (or loads from the cache) every kernel of the tracker; changes no state of this one."""
        warm_up()

    def reset(self) -> None:
        """Forgets all tracks and the time. Ids continue to count up, so none is used twice."""
        self._tracks = Tracks.empty(64)
        self._count = 0
        self._time_s = math.nan
        self._labels: tuple[str, ...] = ()

    def update(
        self,
        detections: Detections,
        time_s: float,
        camera_motion: Affine | None = None,
        picture: Picture | None = None,
    ) -> Detections:
        """Updates the tracks with the detections of one frame.

        Args:
            detections: of the frame, unfiltered down to `low_score`; broken boxes (NaN, empty) are ignored.
            time_s: of the frame, at least that of the last update.
            camera_motion: (2, 3), how the picture moved since the last update, see `camera_compensation.Affine`; None
                where it stands still or the motion is unknown.
            picture: the frame's picture; with it objects are also matched, and re-identified, by appearance.

        Returns:
            The confirmed tracks seen in this frame, with `track_ids`, oldest first.

        Raises:
            ValueError: `time_s` is before the last update or not finite; no camera moves like `camera_motion`.
        """
        elapsed_s = self._elapsed(time_s)
        affine = None if camera_motion is None else validated_affine(camera_motion)
        first = math.isnan(self._time_s)
        self._time_s, self._labels = time_s, detections.labels
        if elapsed_s > self.options.max_gap_s:
            self._count = 0
        used = DetectionArrays.of(detections, self.options.low_score, picture if self.options.appearance else None)
        unmatched = self._continue_tracks(used, elapsed_s, affine)
        # No earlier frame could have confirmed a track of the first one, and a single picture has no second frame.
        at_once = first or elapsed_s > self.options.confirm_wait_s
        self._start_tracks(used, unmatched, at_once)
        return self._show(time_s, lost_for_s=-1.0)

    def predict(self, time_s: float) -> Detections:
        """Returns the tracks at `time_s`, at least the time of the last update, without changing any state.

        Confirmed tracks move on with their velocity, which decays (see `kalman`), and so does their score. A track that
        the last update did not see disappears `coast_s` after it was last seen, and every track after `max_gap_s`.

        Raises:
            ValueError: `time_s` is before the last update or not finite.
        """
        self._elapsed(time_s)
        return self._show(time_s, self.options.coast_s)

    def tracks(self) -> TrackSnapshot:
        """Returns copies of all tracks, tentative and lost ones too, as of the last update."""
        tracks, n = self._tracks, self._count
        return TrackSnapshot(
            time_s=self._time_s,
            ids=tracks.ids[:n].copy(),
            states=tracks.states[:n].copy(),
            boxes_xyxy=predict_boxes(tracks.mean, np.arange(n), 0.0, self._motion),
            velocities_px_s=tracks.mean[:n, :2, 1].astype(np.float32),
            class_ids=tracks.class_ids[:n].copy(),
            scores=tracks.scores[:n].copy(),
            ages_s=self._time_s - tracks.first_seen_s[:n],
            unseen_s=self._time_s - tracks.last_seen_s[:n],
            hits=tracks.hits[:n].copy(),
        )

    def _elapsed(self, time_s: float) -> float:
        """Returns seconds since the last update, 0 before the first."""
        if not math.isfinite(time_s):
            raise ValueError(f"time_s must be finite, got {time_s}")
        if time_s < self._time_s:
            raise ValueError(f"time_s must not go back: {time_s} after {self._time_s}; call reset() for a new video")
        return 0.0 if math.isnan(self._time_s) else time_s - self._time_s

    def _continue_tracks(self, detections: DetectionArrays, elapsed_s: float, camera_motion: Affine | None) -> Mask:
        """Predicts the tracks to now and updates them; returns (M,) bool, the unmatched detections."""
        tracks, kept_s = self._tracks, (self.options.max_lost_s, self.options.reidentify_s)
        count = advance_tracks(tracks, self._count, self._time_s, elapsed_s, *kept_s, self._motion)
        if camera_motion is not None:
            compensate_camera_motion(tracks.mean, tracks.covariance, count, camera_motion)
        self._count, unmatched = match_and_update(
            tracks, count, detections, self._limits, self._time_s, elapsed_s, self._motion
        )
        return unmatched

    def _start_tracks(self, detections: DetectionArrays, unmatched: Mask, at_once: bool) -> None:
        """Starts tracks from the unmatched detections; `at_once` confirms all that are not nested."""
        self._tracks = self._tracks.grown(self._count, self._count + len(unmatched))
        nested = nested_in_tracked(detections.boxes_xyxy, detections.class_ids, unmatched, self._limits.class_agnostic)
        started = start_tracks(
            self._tracks,
            self._count,
            detections,
            unmatched,
            nested,
            self._start_rules._replace(confirm_score=0.0) if at_once else self._start_rules,
            self._time_s,
            self._next_id,
            self._motion,
        )
        self._next_id += started
        self._count += started

    def _show(self, time_s: float, lost_for_s: float) -> Detections:
        """Returns confirmed tracks at `time_s`, and lost ones for `lost_for_s` seconds after they were last seen."""
        ahead_s = 0.0 if math.isnan(self._time_s) else time_s - self._time_s
        options = self.options
        boxes_xyxy, scores, class_ids, ids = shown_tracks(
            self._tracks,
            self._count,
            time_s,
            ahead_s,
            options.max_gap_s,
            lost_for_s,
            options.score_half_life_s,
            self._shown_motion,
        )
        return Detections(boxes_xyxy, scores, class_ids, ids, self._labels)


def warm_up() -> None:
    """Compiles (or loads from the cache) every kernel of the tracker, so that no later update waits for that."""
    tracker = ByteTracker()
    boxes_xyxy = np.array([[0, 0, 10, 20], [50, 0, 60, 20]], np.float32)
    detections = Detections(boxes_xyxy, np.array([0.9, 0.3], np.float32), np.zeros(2, np.int32))
    gray = Picture.from_bgr(np.zeros((20, 60, 3), np.uint8))
    for k in range(3):
        tracker.update(detections, k / 10, np.eye(2, 3), gray)
    tracker.predict(1.0)
    tracker.tracks()
