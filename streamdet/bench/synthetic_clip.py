"""The clip for benchmarks of complete pipelines: a synthetic street, encoded once."""

from __future__ import annotations

from pathlib import Path

import av

from streamdet.sources.factory import create_source


def write_synthetic_clip(path: Path, width: int, height: int, fps: int, frames: int) -> Path:
    """Encodes people, cyclists and cars on a street as a camera does: H.264, one key frame per second.

    Args:
        path: the .mp4 file to write.
        width: width of the frames, even.
        height: height of the frames, even.
        fps: frames per second.
        frames: number of frames.
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
