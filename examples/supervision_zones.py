"""Count objects that cross a line with `supervision` (pip install supervision).

python examples/supervision_zones.py video.mp4 yolox-nano
"""

import sys

import supervision as sv

import streamdet

source, model = sys.argv[1:3]
line = None
for result in streamdet.stream(source, model):
    if line is None:
        middle = result.frame.width // 2
        line = sv.LineZone(start=sv.Point(middle, 0), end=sv.Point(middle, result.frame.height))
    detections = result.detections.to_supervision()
    if detections.tracker_id is not None:
        line.trigger(detections)
if line is not None:
    print(f"crossed: {line.in_count} one way, {line.out_count} the other")
