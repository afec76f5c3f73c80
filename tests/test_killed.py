"""The recordings of a killed process play up to their last second."""

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import pytest

from tests.running import Running, records, times_s
from tests.sources.clips import encode

pytestmark = pytest.mark.timeout(150)

FPS = 25
MAX_LOST_S = 1.0


def frames_by_ffprobe(path: Path) -> int:
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return int(json.loads(done.stdout)["streams"][0]["nb_read_frames"])


def frames_by_opencv(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


@pytest.mark.parametrize("kind", ["live", "file"])
def test_a_killed_recording_plays_up_to_the_last_second(kind, tmp_path):
    clip = encode(tmp_path / "clip.mp4", 20 * FPS, (320, 240), fps=FPS) if kind == "file" else None
    source = (clip, "--realtime") if clip else (f"synthetic:shapes?frames=0&size=320x240&live=1&fps={FPS}",)
    videos, lines = [tmp_path / "out.mp4", tmp_path / "out.mkv"], tmp_path / "out.jsonl"
    outputs = [word for path in (*videos, lines) for word in ("-o", path)]
    with Running("run", *source, "-m", "synthetic-shapes", *outputs, folder=tmp_path) as run:
        run.wait_for_records(lines, 4 * FPS)
        run.kill_hard()
    written = [record["pts_s"] for record in records(lines)]
    for video in videos:
        played = times_s(video)
        assert played == pytest.approx(written[: len(played)], abs=2e-3)
        assert played[-1] >= written[-1] - MAX_LOST_S
        assert frames_by_opencv(video) == len(played)
        if shutil.which("ffprobe"):
            assert frames_by_ffprobe(video) == len(played)
