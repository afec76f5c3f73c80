"""Show the first camera in a window, with tracked boxes. Press q to end.

python examples/webcam.py yolox-nano
"""

import sys

import streamdet

model = sys.argv[1] if len(sys.argv) > 1 else "yolox-nano"
streamdet.run({"webcam": {"url": "0", "size": [1280, 720]}}, model, show=True)
