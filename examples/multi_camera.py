"""Several sources on one detector, with one recording per source.

python examples/multi_camera.py yolox-nano recordings rtsp://front/stream rtsp://back/stream 0
"""

import sys
from pathlib import Path

import streamdet

model, folder, *sources = sys.argv[1:]
Path(folder).mkdir(exist_ok=True)
report = streamdet.run(sources, model, outputs=[f"{folder}/{{source}}.mp4"])
for stream in report.streams:
    print(f"{stream.name}: {stream.shown} shown, {sum(stream.dropped.values())} dropped")
