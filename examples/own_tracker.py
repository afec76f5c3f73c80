"""Your own tracker: each object gets the id of the nearest object in the previous frame.

python examples/own_tracker.py video.mp4 yolox-nano out.mp4
"""

import sys

import numpy as np
from numpy.typing import NDArray

import streamdet
from streamdet import Detections, Picture, Result, TrackerOptions

MAX_DISTANCE_PX = 50


class NearestTracker:
    """Follows the protocol `streamdet.Tracker`: `update` for every detection, `predict` for frames in between."""

    def __init__(self, options: TrackerOptions) -> None:
        self._min_score = options.new_track_score
        self._tracks = Detections.empty()
        self._next_id = 0

    def update(
        self,
        detections: Detections,
        time_s: float,
        camera_motion: NDArray[np.float64] | None = None,
        picture: Picture | None = None,
    ) -> Detections:
        """Returns the detections of a frame with ids."""
        found = detections[detections.scores >= self._min_score]  # a copy
        distances = np.linalg.norm(centers(found)[:, None] - centers(self._tracks)[None], axis=2)
        for row in range(len(found)):
            nearest = distances[row].argmin() if len(self._tracks) else None
            if nearest is not None and distances[row, nearest] < MAX_DISTANCE_PX:
                found.track_ids[row] = self._tracks.track_ids[nearest]
                distances[:, nearest] = np.inf
            else:
                found.track_ids[row] = self._next_id
                self._next_id += 1
        self._tracks = found
        return found

    def predict(self, time_s: float) -> Detections:
        """Returns the tracks at a later time; here they stay in place."""
        return self._tracks


def centers(detections: Detections) -> NDArray[np.float32]:
    """Returns the (N, 2) centers of the boxes."""
    return (detections.boxes_xyxy[:, :2] + detections.boxes_xyxy[:, 2:]) / 2


ids: set[int] = set()


def collect_ids(result: Result) -> None:
    """Remembers every id that was shown."""
    ids.update(result.detections.track_ids.tolist())


streamdet.register_tracker("nearest", NearestTracker)  # from now on also `tracker: {kind: nearest}`
source, model, output = sys.argv[1:4]
report = streamdet.run(source, model, outputs=[output], tracker="nearest", on_result=collect_ids)
print(f"{len(ids)} objects in {report.streams[0].shown} frames")
