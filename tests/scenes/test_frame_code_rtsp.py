"""Frame codes through a third-party server: file, H.264 over RTSP, decoder."""

from itertools import islice

import pytest

import streamdet
from streamdet.scenes.frame_code import read_frame_code
from streamdet.sources.factory import create_source
from streamdet.sources.options import SourceOptions
from tests.gstreamer import serving

pytestmark = pytest.mark.rtsp

FRAMES = 90


def test_frame_code_survives_an_rtsp_round_trip(server_script, port, tmp_path):
    """After detecting, drawing, recording, serving over RTSP and receiving, number and time are still exact."""
    video = tmp_path / "street.mp4"
    scene = f"synthetic:street?seed=7&frames={FRAMES}&fps=30"
    streamdet.run(scene, "ssd-demo", outputs=[video], detector={"provider": "cpu"})
    with (
        serving(server_script, port, "--file", str(video)),
        create_source(
            f"rtsp://127.0.0.1:{port}/cam", options=SourceOptions(open_timeout_s=10, read_timeout_s=10)
        ) as source,
    ):
        source.open()
        frames = list(islice(source.frames(), FRAMES - 15))
    codes = [read_frame_code(frame.picture) for frame in frames]
    assert None not in codes
    numbers = [code.number for code in codes]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert [code.captured_ms for code in codes] == [round(1000 * number / 30) for number in numbers]
