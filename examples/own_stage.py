"""Your own steps between tracking and drawing: keep large objects and every second frame.

python examples/own_stage.py video.mp4 yolox-nano out.mp4
"""

import sys
from dataclasses import replace

import streamdet
from streamdet import Result


def only_large(result: Result) -> Result:
    """Removes boxes smaller than one percent of the frame."""
    left, top, right, bottom = result.detections.boxes_xyxy.T
    large = (right - left) * (bottom - top) > 0.01 * result.frame.width * result.frame.height
    return replace(result, detections=result.detections[large])


def every_second_frame(result: Result) -> Result | None:
    """Drops every second frame; the report counts these as dropped by "stage"."""
    return result if result.frame.index % 2 == 0 else None


source, model, output = sys.argv[1:4]
report = streamdet.run(source, model, outputs=[output], stages=[only_large, every_second_frame])
print(report.streams[0].shown, "frames shown,", report.streams[0].dropped, "dropped")
