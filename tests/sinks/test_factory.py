"""The tables from scheme and suffix to sinks, and the options of sinks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamdet.errors import UsageError
from streamdet.sinks.factory import create_sink
from streamdet.sinks.images import ImageSink
from streamdet.sinks.jsonl import JsonLinesSink
from streamdet.sinks.null import NullSink
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.video import VideoSink


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("out.mp4", VideoSink),
        ("OUT.MP4", VideoSink),
        ("out.m4v", VideoSink),
        ("out.mov", VideoSink),
        ("out.mkv", VideoSink),
        ("a:b.mp4", VideoSink),
        ("out.jsonl", JsonLinesSink),
        ("out.ndjson", JsonLinesSink),
        ("out.jpg", ImageSink),
        ("%06d.png", ImageSink),
        ("new/", ImageSink),
        ("existing", ImageSink),
        ("null:", NullSink),
    ],
)
def test_each_kind_of_output_creates_its_sink(tmp_path, monkeypatch, uri, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "existing").mkdir()
    sink = create_sink(uri)
    assert type(sink) is kind
    assert sink.name == uri
    assert os.listdir(tmp_path) == ["existing"]


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "http", "https", "mqtt", "RTSP"])
def test_publishing_is_not_supported_yet(scheme):
    with pytest.raises(UsageError, match=f"publishing to {scheme} is not supported yet; write a file") as raised:
        create_sink(f"{scheme}://admin:s3cret@host/path")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("uri", ["out", "out.avi", "out.txt", "ftp://user:s3cret@host/x.mp4", "", "."])
def test_unknown_kinds_of_output_list_the_supported_ones(tmp_path, monkeypatch, uri):
    monkeypatch.chdir(tmp_path)
    if uri == ".":
        assert type(create_sink(uri)) is ImageSink
        return
    with pytest.raises(UsageError, match=r"use a file ending in \.mp4, .*null: or window:") as raised:
        create_sink(uri)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quality": 52}, "quality must be 0 to 51, got 52"),
        ({"jpeg_quality": 0}, "jpeg_quality must be 1 to 100, got 0"),
        ({"threads": -1}, "threads must be 0 to 64, got -1"),
        ({"gop_s": 0}, "gop_s must be 0.05 to 60 seconds, got 0"),
        ({"gop_s": float("nan")}, "gop_s must be 0.05 to 60 seconds, got nan"),
        ({"bitrate": 4}, "bitrate must be at least 1000 bits per second, got 4"),
    ],
)
def test_invalid_options_are_refused(changes, message):
    with pytest.raises(UsageError) as raised:
        SinkOptions(**changes)
    assert str(raised.value) == message


def test_creating_a_sink_imports_only_what_it_needs(tmp_path):
    script = (
        "import sys\nfrom streamdet.sinks.factory import create_sink\ncreate_sink('null:')\ncreate_sink('out.jsonl')\n"
        "print([m for m in ('av', 'cv2') if m in sys.modules])"
    )
    root = Path(__file__).parent.parent.parent
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
