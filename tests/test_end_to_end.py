"""A run on a real clip: every frame is written at its own time, with stable ids."""

import json
import struct
from collections import Counter
from fractions import Fraction

import av
import numpy as np
import pytest

import streamdet
from streamdet.boxes import pairwise_iou


def packet_times(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [Fraction(p.pts) * p.time_base for p in container.demux(stream) if p.pts is not None]


def top_level_boxes(path):
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        names.append(name)
        at += struct.unpack(">Q", data[at + 8 : at + 16])[0] if size == 1 else size
    return names


@pytest.fixture(scope="module")
def walk(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk")
    source = data_dir / "videos" / "people-walking.mp4"
    outputs = [str(folder / name) for name in ("out.mp4", "out.jsonl")]
    report = streamdet.run(str(source), str(data_dir / "models" / "yolox_nano.onnx"), outputs=outputs)
    records = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    return source, folder, report, records


def test_every_frame_is_written_at_its_own_time(walk):
    source, folder, report, records = walk
    (stream,) = report.streams
    assert (stream.captured, stream.shown, stream.inferred, stream.dropped) == (314, 314, 314, {})
    times = sorted(packet_times(source))
    assert packet_times(folder / "out.mp4") == times
    assert [Fraction(r["pts"]) * Fraction(r["time_base"]) for r in records] == times


def test_the_recording_has_a_format_that_browsers_play(walk):
    _, folder, _, _ = walk
    with av.open(str(folder / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames) == (1280, 720, 314)
    assert set(top_level_boxes(folder / "out.mp4")) <= {
        b"ftyp",
        b"free",
        b"mdat",
        b"moov",
    }  # no fragments after closing


def test_boxes_are_drawn_where_the_records_place_them(walk):
    source, folder, _, records = walk
    with av.open(str(source)) as before, av.open(str(folder / "out.mp4")) as after:
        pairs = zip(before.decode(video=0), after.decode(video=0), records, strict=True)
        plain, drawn, record = next(pair for pair in pairs if pair[2]["index"] == 100)
    changed = np.abs(drawn.to_ndarray(format="gray").astype(int) - plain.to_ndarray(format="gray")) > 25
    for detection in record["detections"]:
        left, top, right, bottom = (round(value) for value in detection["box_xyxy"])
        if detection["score"] > 0.5 and right - left > 60 and left > 4 and right < 1276:
            edge = changed[top + 4 : bottom - 4, max(left - 3, 0) : left + 4].any(axis=1)
            assert edge.mean() > 0.5, detection


def test_a_person_away_from_others_keeps_one_id(walk):
    """Follows people whose box is away from all others: their id must not change."""
    _, _, _, records = walk
    changes = followed = 0
    before = None
    for record in records:
        boxes = np.array([d["box_xyxy"] for d in record["detections"]], np.float32).reshape(-1, 4)
        ids = [d["track_id"] for d in record["detections"]]
        if before is not None and len(boxes) and len(before[0]):
            overlap = pairwise_iou(before[0], boxes)
            crowd = pairwise_iou(before[0], before[0]) - np.eye(len(before[0]))
            for i in range(len(before[0])):
                inside = before[0][i, 0] > 30 and before[0][i, 2] < 1250
                if crowd[i].max() < 0.02 and inside and overlap[i].max() > 0.7:
                    followed += 1
                    changes += ids[int(overlap[i].argmax())] != before[1][i]
        before = boxes, ids
    assert followed > 500
    assert changes == 0
    longest = Counter(d["track_id"] for r in records for d in r["detections"]).most_common(3)
    assert all(count > 200 for _, count in longest)


def test_the_flagship_with_raw_heads_runs_through_the_same_pipeline(data_dir, tmp_path):
    """The flagship's architecture at a smaller size; its random weights detect nothing useful."""
    from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34

    model = tmp_path / "heads.onnx"
    model.write_bytes(build_ssd_resnet34(SsdOutputs.HEADS, size=448).SerializeToString())
    report = streamdet.run(str(data_dir / "videos" / "people-walking.mp4"), str(model), outputs=["null:"], max_frames=5)
    (stream,) = report.streams
    assert (stream.shown, stream.inferred) == (5, 5)
    assert set(stream.stages) >= {"decode", "preprocess", "infer", "postprocess", "track"}
