"""Your own output: a CSV file with one row per object.

python examples/own_sink.py video.mp4 yolox-nano objects.csv
"""

import csv
import sys

import streamdet


class CsvSink(streamdet.Sink):
    """Writes time, class, track id, score and box of every object. Its name is the path of the file."""

    def open(self, info: streamdet.SourceInfo) -> None:
        """Creates the file."""
        with open(self.name, "w", newline="") as file:
            csv.writer(file).writerow(["time_s", "class", "track", "score", "left", "top", "right", "bottom"])

    def write(self, result: streamdet.Result) -> None:
        """Appends the objects of one frame."""
        found = result.detections
        objects = zip(found.class_names, found.track_ids, found.scores, found.boxes_xyxy, strict=True)
        with open(self.name, "a", newline="") as file:
            for class_name, track_id, score, box in objects:
                row = [f"{result.frame.pts_s:.3f}", class_name, track_id, f"{score:.3f}", *box.round(1)]
                csv.writer(file).writerow(row)

    def close(self) -> None:
        """Has nothing to finish."""


source, model, path = sys.argv[1:4]
report = streamdet.run(source, model, sinks=[CsvSink(path)])
print(report.streams[0].sinks[0].written, "frames written to", path)
