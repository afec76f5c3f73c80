"""One update of the tracks with the detections of a frame, in one call: each call from Python costs several us."""

from streamdet.kernels import kernel
from streamdet.tracking.appearance import compare_appearances, compare_appearances_reference
from streamdet.tracking.associate import (
    MatchLimits,
    associate,
    associate_reference,
    compare_positions,
    compare_positions_reference,
    measure_ambiguity,
    measure_ambiguity_reference,
)
from streamdet.tracking.detection_arrays import DetectionArrays
from streamdet.tracking.kalman import MotionModel
from streamdet.tracking.lifecycle import update_tracks, update_tracks_reference
from streamdet.tracking.matching import Mask
from streamdet.tracking.reidentify import (
    reidentify,
    reidentify_reference,
    weigh_by_appearance,
    weigh_by_appearance_reference,
)
from streamdet.tracking.tracks import Tracks


@kernel
def match_and_update(
    tracks: Tracks,
    count: int,
    detections: DetectionArrays,
    limits: MatchLimits,
    time_s: float,
    elapsed_s: float,
    motion: MotionModel,
) -> tuple[int, Mask]:
    """Assigns detections to tracks and updates the tracks, in place.

    Args:
        tracks: predicted to now.
        count: how many of them are used.
        detections: M detections.
        limits: see `MatchLimits`.
        time_s: now.
        elapsed_s: seconds since the last update.
        motion: see `MotionModel`.

    Returns:
        The number of tracks that remain, and (M,) bool: the unmatched detections.
    """
    similarity = compare_positions(tracks.mean, tracks.covariance, count, detections.boxes_xyxy, elapsed_s, motion)
    appearance_similarity = compare_appearances(tracks.appearances, count, detections.appearances)
    pair_weight = weigh_by_appearance(similarity, appearance_similarity, tracks.lost_since_s, time_s, limits.max_lost_s)
    detection_of_track = associate(similarity, pair_weight, tracks, detections, limits)
    reidentify(tracks, appearance_similarity, detections, detection_of_track, limits, time_s)
    ambiguity = measure_ambiguity(similarity, tracks.states, detection_of_track, elapsed_s)
    return update_tracks(tracks, count, detections, detection_of_track, ambiguity, time_s, motion)


def match_and_update_reference(
    tracks: Tracks,
    count: int,
    detections: DetectionArrays,
    limits: MatchLimits,
    time_s: float,
    elapsed_s: float,
    motion: MotionModel,
) -> tuple[Tracks, Mask]:
    """Returns the tracks that `match_and_update` leaves, and the unmatched detections, in plain numpy."""
    mean, covariance = tracks.mean[:count], tracks.covariance[:count]
    similarity = compare_positions_reference(mean, covariance, detections.boxes_xyxy, elapsed_s, motion)
    appearance_similarity = compare_appearances_reference(tracks.appearances, count, detections.appearances)
    similarity, pair_weight = weigh_by_appearance_reference(
        similarity, appearance_similarity, tracks.lost_since_s, time_s, limits.max_lost_s
    )
    detection_of_track, similarity = associate_reference(similarity, pair_weight, tracks, detections, limits)
    detection_of_track = reidentify_reference(
        tracks, appearance_similarity, detections, detection_of_track, limits, time_s
    )
    ambiguity = measure_ambiguity_reference(similarity, tracks.states, detection_of_track, elapsed_s)
    return update_tracks_reference(tracks, count, detections, detection_of_track, ambiguity, time_s, motion)
