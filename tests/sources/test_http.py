"""Streams over HTTP: HLS, motion JPEG, and web servers that refuse."""

import contextlib
import http.server
import threading
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import cv2
import pytest

from streamdet.errors import AuthError, SourceError
from streamdet.sources.factory import create_source
from streamdet.sources.options import BackoffOptions, SourceOptions
from tests.sources.clips import encode, numbered, read_number
from tests.sources.web import Quiet, web_server

SHORT = SourceOptions(
    open_timeout_s=0.6,
    read_timeout_s=0.6,
    stall_timeout_s=1,
    backoff=BackoffOptions(first_s=0.02, cap_s=0.05, auth_s=0.02),
)
PATIENT = replace(SHORT, open_timeout_s=10, read_timeout_s=10)


def test_an_hls_recording_plays_to_its_end(tmp_path: Path) -> None:
    encode(tmp_path / "list.m3u8", 50, container={"hls_time": "1", "hls_list_size": "0"}, options={"g": "25"})
    assert len(list(tmp_path.glob("*.ts"))) >= 2
    with web_server(tmp_path) as base, create_source(f"{base}/list.m3u8", options=PATIENT) as source:
        assert source.open().live
        frames = list(source.frames())
    assert [read_number(frame.picture) for frame in frames] == list(range(50))
    assert {b.pts - a.pts for a, b in pairwise(frames)} == {3600}


def test_a_playlist_from_the_web_reads_no_local_file(tmp_path: Path) -> None:
    secret = encode(tmp_path / "secret.ts", 4)
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    with (
        web_server(tmp_path) as base,
        create_source(f"{base}/list.m3u8", options=SHORT) as source,
        pytest.raises(SourceError),
    ):
        source.open()


@pytest.mark.parametrize(
    ("path", "words"),
    [("gone.mkv", "404"), ("gone", "404"), ("page.html", "not a video stream")],
)
def test_missing_or_wrong_web_pages_are_errors(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "page.html").write_text("<html>hello</html>")
    with (
        web_server(tmp_path) as base,
        create_source(f"{base}/{path}", options=PATIENT) as source,
        pytest.raises(SourceError, match=words),
    ):
        source.open()


def test_mjpeg_is_timestamped_on_arrival(tmp_path: Path) -> None:
    """Motion JPEG has no timestamps, and FFmpeg merely assumes 25 frames per second."""
    waiting = threading.Event()

    class Camera(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):
                for number in range(256):
                    jpeg = cv2.imencode(".jpg", numbered(number))[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
                    waiting.wait(0.01)

    with web_server(tmp_path, Camera) as base, create_source(f"{base}/video", options=PATIENT) as source:
        assert source.open().codec == "mjpeg"
        frames = list(islice(source.frames(), 20))
    assert [read_number(frame.picture) for frame in frames] == list(range(20))
    for frame in frames:
        assert frame.pts_s == pytest.approx((frame.captured_ns - frames[0].captured_ns) / 1e9, abs=2e-3)


def test_a_web_server_that_requires_a_password_is_an_auth_error(tmp_path: Path) -> None:
    class Locked(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None: ...

    with (
        web_server(tmp_path, Locked) as base,
        create_source(f"{base}/a.mkv", options=PATIENT) as source,
        pytest.raises(AuthError, match="credentials"),
    ):
        source.open()
