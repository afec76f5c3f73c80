"""YAML descriptions: valid keys, and the message for each mistake."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import ConfigError
from streamdet.labels import COCO80, COCO90
from streamdet.model_spec.spec import Contract, Resize
from streamdet.models.description import read_description
from streamdet.models.description_keys import MAX_BYTES


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "model.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_every_key_is_read(tmp_path):
    (tmp_path / "names.txt").write_text("hand\n\n  foot \n")
    text = """
        file: weights/net.onnx
        contract: end2end
        width: 320
        height: 256
        rgb: false
        mean: [1, 2.5, 3]
        std: 255
        resize: letterbox-center
        pad_value: 0
        box_order: yxyx
        labels: names.txt
        output_names: [b, s, l]
        conf: 0.25
        licence: MIT
    """
    description = read_description(written(tmp_path, text))
    assert description.file == tmp_path / "weights" / "net.onnx"
    fields = dict(description.fields)
    assert fields["contract"] is Contract.END2END
    assert fields["resize"] is Resize.LETTERBOX_CENTER
    assert (fields["mean"], fields["std"]) == ((1, 2.5, 3), (255, 255, 255))
    assert (fields["labels"], fields["output_names"]) == (("hand", "foot"), ("b", "s", "l"))
    assert (fields["width"], fields["height"], fields["conf"], fields["rgb"]) == (320, 256, 0.25, False)


@pytest.mark.parametrize(
    ("value", "labels"), [("coco80", COCO80), ("coco90", COCO90), ("[car, 7]", ("car", "7"))], ids=["80", "90", "list"]
)
def test_labels_are_read(tmp_path, value, labels):
    assert read_description(written(tmp_path, f"labels: {value}")).fields["labels"] == labels


def test_empty_description_sets_nothing(tmp_path):
    description = read_description(written(tmp_path, ""))
    assert (description.file, description.fields) == (None, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contarct: yolox", "unknown key `contarct`: did you mean `contract`?"),
        ("zzz: 1", "unknown key `zzz`: known keys: file, name, contract"),
        ("1: 2", "unknown key `1`"),
        (
            "contract: yolo",
            "`contract: yolo` is invalid: give one of ssd-heads, ssd-published, yolox, fastestdet, end2end",
        ),
        ("resize: crop", "give one of stretch, letterbox-top-left, letterbox-center"),
        ("resize: [stretch]", "`resize: ['stretch']` is invalid"),
        ("width: 0", "`width: 0` is invalid: give a whole number from 1 to 16384"),
        ("width: 320.5", "give a whole number"),
        ("width: true", "give a whole number"),
        ("rgb: 1", "`rgb: 1` is invalid: give true or false"),
        ("mean: [1, 2]", "give one number or a list of three"),
        ("std: 0", "give numbers greater than 0"),
        ("std: .nan", "give numbers greater than 0"),
        ("mean: .inf", "give finite numbers"),
        ("conf: 50", "`conf: 50` is invalid: give a number from 0 to 1"),
        ("box_order: cxcywh", "give xyxy or yxyx"),
        ("labels: nowhere.txt", "give coco80, coco90, a list of names, or a text file next to this one"),
        ("labels: []", "give coco80"),
        ('about: "a\\e[31mb"', "is invalid: give one line of text without control characters"),
        ('name: "a\\nb"', "is invalid: give one line of text without control characters"),
        ("file: 3", "`file: 3` is invalid: give text, in quotes"),
        ("name: [a]", "`name: ['a']` is invalid"),
        ("- a\n- b", "must hold keys and values"),
        ("a: [", "is not valid YAML"),
        ("mean: &x [1, 1, 1]\nstd: *x", "aliases (*name) are not supported"),
        ("#" * (MAX_BYTES + 1), f"at most {MAX_BYTES} bytes are read"),
        ("urls: {rtsp://me:hunter2@h/x: 1}", "`urls: {'rtsp://***@h/x': 1}` is invalid"),
        (
            "width: [" + "[], " * 9000 + "]",
            "`width: [[], [], [], [], [], [], [], [], [], [], [], [], [], [], [],` is invalid",
        ),
        (f"width: {'x' * 60_000}", "`width: " + "x" * 60 + "` is invalid"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_mistakes_name_key_value_and_fix(tmp_path, text, message):
    with pytest.raises(ConfigError) as error:
        read_description(written(tmp_path, text))
    assert message in str(error.value)
    assert str(error.value).isprintable()
    assert str(tmp_path / "model.yaml") in str(error.value)


def test_missing_description_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*nothing\.yaml: No such file"):
        read_description(tmp_path / "nothing.yaml")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["file", "contract", "width", "mean", "labels", "conf", "urls", "output_names", "sha256", "x"])


@given(content=st.dictionaries(keys, values, max_size=4))
def test_any_content_is_read_or_rejected(tmp_path_factory, content):
    path = written(tmp_path_factory.getbasetemp(), yaml.safe_dump(content))
    try:
        answer = " ".join(read_description(path).fields)
    except ConfigError as error:
        answer = str(error)
    assert "\n" not in answer
