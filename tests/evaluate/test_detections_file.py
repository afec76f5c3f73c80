"""A detections file: written, truncated, resumed from, and refused if it belongs to another run."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import SinkError, UsageError
from streamdet.evaluate.coco_detections import CocoDetections, ImageDetections
from streamdet.evaluate.detections_file import DetectionsFile, RunIdentity
from streamdet.sinks.output_path import InputFiles

IDENTITY = RunIdentity("net.onnx", "a" * 64, "b" * 64, "c" * 64, 0.05, 0.5, 200, "cpu", "auto", "0.1.0")
RECORDS = [
    ImageDetections(139, (1, 62), (0.9, 0.123456789), ((1.5, 2.0, 3.25, 4.0), (0.0, 0.0, 9.0, 9.0)), (1.0, 2.0, 3.0)),
    ImageDetections(285),
    ImageDetections(632, (62,), (0.5,), ((7.0, 7.0, 7.0, 7.0),), (1.0, 2.0, 3.0)),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("detections") / "run.jsonl"


@pytest.fixture(scope="module")
def complete(path):
    with DetectionsFile(path, IDENTITY) as file:
        assert file.records == {}
        for record in RECORDS:
            file.add(record)
    return path.read_bytes()


def read(path):
    with DetectionsFile(path, IDENTITY) as file:
        return list(file.records.values())


def test_reads_what_was_written(path, complete):
    assert read(path) == RECORDS
    assert path.read_bytes() == complete


@given(st.data())
def test_resumes_after_truncation_anywhere(path, complete, data):
    end = data.draw(st.integers(0, len(complete)))
    path.write_bytes(complete[:end])
    with DetectionsFile(path, IDENTITY) as file:
        known = list(file.records.values())
        assert known == RECORDS[: max(complete[:end].count(b"\n") - 1, 0)]
        for record in RECORDS[len(known) :]:
            file.add(record)
    assert path.read_bytes() == complete


OTHERS = {
    "model": ({"model": "other.onnx"}, "made with model net.onnx, this run has other.onnx: give another name, or del"),
    "file": ({"model_sha256": "f" * 64}, "model file with SHA-256 aaaaaaaaaaaa…, this run has ffffffffffff…"),
    "spec": ({"model_spec": "f" * 64}, "model description"),
    "annotations": ({"annotations_sha256": "f" * 64}, "annotations file"),
    "conf": ({"conf": 0.01}, "made with conf 0.05, this run has 0.01"),
    "iou": ({"iou": 0.45}, "made with iou 0.5, this run has 0.45"),
    "detections": ({"max_detections": 100}, "made with max-detections 200, this run has 100"),
    "provider": ({"provider": "cuda"}, "made with provider cpu, this run has cuda"),
    "precision": ({"precision": "fp32"}, "made with precision auto, this run has fp32"),
    "version": ({"streamdet": "9.9"}, "made with streamdet version 0.1.0, this run has 9.9"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_refuses_the_file_of_another_run_unchanged(tmp_path, complete, name):
    fields, message = OTHERS[name]
    path = tmp_path / "run.jsonl"
    path.write_bytes(complete)
    with pytest.raises(UsageError) as caught:
        DetectionsFile(path, replace(IDENTITY, **fields))
    assert message in str(caught.value)
    assert path.read_bytes() == complete


@pytest.mark.parametrize("content", [b"\x00\x01video", b"[]\n", b'{"kind": "other"}\n', b"\n", b'{"kind": "streamx'])
def test_refuses_a_file_of_another_kind_unchanged(tmp_path, content):
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="exists already and is not a detections file: give another name"):
        DetectionsFile(path, IDENTITY)
    assert path.read_bytes() == content


DAMAGE = {
    "text": b"garbage\n",
    "other record": b'{"image_id": 1}\n',
    "box": b'{"image_id":1,"category_ids":[1],"scores":[0.5],"boxes_xywh":[[1,2]],"times_ms":[0,0,0]}\n',
    "columns": b'{"image_id":1,"category_ids":[],"scores":[0.5],"boxes_xywh":[[1,2,3,4]],"times_ms":[0,0,0]}\n',
}


@pytest.mark.parametrize("line", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_line_is_reported(tmp_path, complete, line):
    path = tmp_path / "run.jsonl"
    path.write_bytes(complete + line)
    with pytest.raises(UsageError, match="line 5 is damaged: delete the file to start over"):
        DetectionsFile(path, IDENTITY)


def test_does_not_overwrite_an_input_file(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text("{}")
    with pytest.raises(UsageError, match="is the file being read"):
        DetectionsFile(path, IDENTITY, InputFiles([path]))
    with pytest.raises(SinkError, match="there is no folder"):
        DetectionsFile(tmp_path / "no" / "run.jsonl", IDENTITY)


def test_a_disk_that_becomes_full_within_a_line(tmp_path, complete):
    resource = pytest.importorskip("resource")
    path = tmp_path / "run.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with DetectionsFile(path, IDENTITY) as file:
        for record in RECORDS[:-1]:
            file.add(record)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(complete) - 5, hard))
        try:
            with pytest.raises(SinkError, match=r"run\.jsonl"):
                file.add(RECORDS[-1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read(path) == RECORDS[:-1]


def test_records_join_to_columns():
    found = CocoDetections.of(RECORDS)
    assert found.image_ids.tolist() == [139, 139, 632]
    assert found.times_ms.shape == (3, 3)
    assert found.rows()[1] == {"image_id": 139, "category_id": 62, "bbox": [0, 0, 9, 9], "score": 0.123456789}
    assert len(CocoDetections.of([])) == 0
