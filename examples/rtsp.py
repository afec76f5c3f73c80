"""Record an annotated RTSP stream, and print the number of objects once per second of its time.

python examples/rtsp.py rtsp://user:password@camera/stream yolox-nano front.mp4
"""

import sys
from collections import Counter

import streamdet

url, model, output = sys.argv[1:4]
duration_s = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0  # 0: until Ctrl-C

next_s = 0.0
for result in streamdet.stream(url, model, outputs=[output], duration_s=duration_s):
    if result.frame.pts_s >= next_s:
        next_s = result.frame.pts_s + 1
        print(f"{result.frame.pts_s:8.2f} s  {dict(Counter(result.detections.class_names))}")
