"""The video that whole pipelines are measured on: a made-up street, encoded once."""

from __future__ import annotations

from pathlib import Path

import av

from streamdet.sources.factory import create_source


def write_synthetic_clip(path: Path, width: int, height: int, fps: int, frames: int) -> Path:
    """Writes people, cyclists and cars on a street, as a camera would: H.264, a key frame each second.

    Args:
        path: an .mp4 file to write.
        width: of the pictures, even.
        height: of the pictures, even.
        fps: frames per second.
        frames: how many.
    """
    url = f"synthetic:street?objects=12&seed=7&size={width}x{height}&fps={fps}&frames={frames}"
    with create_source(url) as scene, av.open(str(path), "w") as container:
        scene.open()
        options = {"preset": "veryfast", "crf": "23", "bf": "0"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = fps
        for frame in scene.frames():
            picture = frame.picture.to_av()
            picture.pts, picture.time_base = frame.pts, frame.time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path
