"""Annotate a video file, and write its detections; audio and timestamps are kept.

python examples/record_file.py video.mp4 yolox-nano annotated.mp4
"""

import sys
from pathlib import Path

import streamdet

source, model, output = sys.argv[1:4]
report = streamdet.run(source, model, outputs=[output, str(Path(output).with_suffix(".jsonl"))])
for stream in report.streams:
    print(f"{stream.shown} of {stream.captured} frames at {stream.fps:.1f} fps on {report.provider}")
