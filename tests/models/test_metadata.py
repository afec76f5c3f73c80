"""Descriptions in the metadata of a file: valid keys, and the message for hostile ones."""

import json

import pytest

from streamdet.convert.artifacts import DraftModel, SourceModel
from streamdet.convert.comparison import Comparison
from streamdet.convert.metadata import conversion_metadata
from streamdet.convert.options import ConvertOptions
from streamdet.convert.verification import FP32_TOLERANCE, Verification
from streamdet.errors import ModelError
from streamdet.labels import COCO80
from streamdet.model_spec.spec import Contract, ModelSpec, Resize
from streamdet.models.catalog import resolve_model
from streamdet.models.description import SPEC_KEY, metadata_text, read_metadata
from streamdet.models.description_keys import MAX_BYTES
from streamdet.models.onnx_file import ModelFile, onnx_signature
from streamdet.models.provenance import CONVERTED_KEY, read_provenance
from streamdet.models.recognize import recognize

from .nets import model_with

SPEC = ModelSpec(
    "net", Contract.SSD_HEADS, 448, 448, rgb=False, mean=(1.0, 2.5, 3.0), resize=Resize.LETTERBOX_CENTER, labels=COCO80,
    licence="Apache-2.0", conf=0.25, box_order="yxyx",
)  # fmt: skip
HEADS = {"loc": ["n", 4, 2256], "conf": ["n", 81, 2256]}


def described(text: str) -> ModelFile:
    model = model_with({"image": ["n", 3, 448, 448]}, HEADS, metadata={SPEC_KEY: text})
    return ModelFile(model.SerializeToString(), "net.onnx")


def test_metadata_round_trip():
    assert resolve_model(described(metadata_text(SPEC)))[0] == ModelSpec(
        **{name: getattr(SPEC, name) for name in SPEC.__slots__ if name != "name"}, name="net.onnx"
    )


def test_dynamic_size_is_written():
    spec = ModelSpec("net", Contract.END2END, 64, 32, labels=COCO80, resize=Resize.STRETCH, conf=0.3)
    ports = {"image": ["n", 3, "h", "w"]}, {"rows": [1, 5, 6]}
    bare = ModelFile(model_with(*ports).SerializeToString(), "net")
    made = DraftModel(model_with(*ports), spec)
    properties = conversion_metadata(
        SourceModel(bare, made.model, spec), made, ConvertOptions(), Verification((), FP32_TOLERANCE, Comparison()), []
    )
    described = model_with(*ports, metadata=properties)
    assert recognize(onnx_signature(described), "net") == spec
    assert "width" not in json.loads(metadata_text(spec))


def test_custom_and_missing_labels_are_read():
    assert json.loads(metadata_text(SPEC))["labels"] == "coco80"
    for labels in ((), ("a", "b")):
        text = json.dumps({"labels": labels})
        assert read_metadata({SPEC_KEY: text}, "net") == {"labels": labels}


def test_description_next_to_the_file_overrides_metadata(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(described(metadata_text(SPEC)).data)
    path.with_suffix(".yaml").write_text("rgb: true\nconf: 0.75")
    spec, _ = resolve_model(path)
    assert (spec.rgb, spec.conf, spec.mean) == (True, 0.75, (1.0, 2.5, 3.0))


def test_given_fields_override_metadata():
    model = model_with({"image": ["n", 3, 448, 448]}, HEADS, metadata={SPEC_KEY: '{"rgb": false, "conf": 0.2}'})
    spec = recognize(onnx_signature(model), "net", {"rgb": True})
    assert (spec.rgb, spec.conf) == (True, 0.2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "is not valid JSON", id="cut"),
        pytest.param("", "is not valid JSON", id="empty"),
        pytest.param("[" * 50_000, "is not valid JSON", id="nested"),
        pytest.param('{"conf": ' + "9" * 10_000 + "}", "is not valid JSON", id="endless number"),
        pytest.param("x" * (MAX_BYTES + 1), "is too long (65537 characters)", id="long"),
        pytest.param("[1]", "must contain keys and values", id="list"),
        pytest.param('{"contract": "yolo"}', "`contract: yolo` is invalid: give one of ssd-heads", id="contract"),
        pytest.param('{"contract": {"a": []}}', "`contract: {'a': []}` is invalid", id="contract of another kind"),
        pytest.param('{"std": [1, 0, 1]}', "give numbers greater than 0", id="std"),
        pytest.param('{"mean": NaN}', "give finite numbers", id="mean"),
        pytest.param('{"mean": [Infinity, 0, 0]}', "give finite numbers", id="infinite"),
        pytest.param('{"conf": 1e400}', "give a number from 0 to 1", id="conf"),
        pytest.param('{"rgb": 1}', "give true or false", id="rgb"),
        pytest.param('{"labels": "/etc/passwd"}', "give coco80, coco90 or a list of names", id="labels in a file"),
        pytest.param('{"labels": ["a\\u001b[2J"]}', "names of up to 100 printable characters", id="escapes in labels"),
        pytest.param('{"licence": "' + "x" * 101 + '"}', "up to 100 printable characters", id="long license"),
        pytest.param('{"labels": {"0": "a"}}', "give coco80, coco90 or a list", id="labels of another kind"),
        pytest.param('{"file": "/etc/passwd"}', "unknown key `file`", id="file"),
        pytest.param('{"urls": ["http://x"]}', "unknown key `urls`", id="urls"),
        pytest.param('{"' + "k" * 9000 + '": 1}', "unknown key `kkk", id="long key"),
        pytest.param('{"rtsp://a:hunter2@h": 1}', "unknown key `rtsp://***@h`", id="password"),
    ],
)
def test_invalid_metadata_is_rejected(text, words):
    with pytest.raises(ModelError) as error:
        resolve_model(described(text))
    message = str(error.value)
    assert message.startswith("net.onnx: its metadata streamdet.spec")
    assert words in message
    assert "convert the model again, or describe it in a YAML file next to it" in message
    assert len(message) < 700
    assert "\n" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"proof": 1}', '{"proof": {}, "from": "x"}', "[" * 50_000, '{"proof": {"matched": "x"}}'],
)
def test_unreadable_provenance_is_ignored(text):
    assert read_provenance(text) is None


def test_provenance_is_shown_on_separate_lines():
    proof = {key: 1 for key in ("matched", "detections", "pictures")}
    proof |= {"greatest_box_difference": 1e-7, "greatest_score_difference": 0}
    done = {"from": "a\x1b[2J\nb", "sha256": "f" * 1000, "options": "", "proof": proof, "notes": ["x\ny"]}
    origin = read_provenance(json.dumps(done))
    assert origin is not None
    assert origin.source == "a [2J b"
    assert len(origin.sha256) == 300
    assert origin.notes == ("x y",)
    assert CONVERTED_KEY == "streamdet.converted"


def test_provenance_has_the_same_meaning_under_the_names_of_earlier_versions():
    numbers = {"matched": 2, "detections": 3, "images": 4, "max_box_difference": 0.01, "max_score_difference": 0.02}
    earlier_numbers = {"matched": 2, "detections": 3, "pictures": 4}
    earlier_numbers |= {"greatest_box_difference": 0.01, "greatest_score_difference": 0.02}
    common = {"from": "b.onnx", "sha256": "0" * 64, "options": "--batch 1", "notes": []}
    before = {"from": "a.onnx", "options": ""}
    provenance = read_provenance(json.dumps(common | {"verification": numbers, "earlier_conversion": before}))
    assert provenance is not None
    assert provenance == read_provenance(json.dumps(common | {"proof": earlier_numbers, "before": before}))
    assert provenance.verification.startswith("2 of 3 detections on 4 images")
    assert provenance.before == "a.onnx with no options"
