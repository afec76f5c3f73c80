"""Conversions of the whole network at a small size, each proving itself; what is written is run as a user would."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamdet.convert.convert import convert
from streamdet.convert.options import (
    Channels,
    ConvertOptions,
    FileFormat,
    InputType,
    Layout,
    OutputForm,
    TargetPrecision,
)
from streamdet.convert.proof import Sample
from streamdet.errors import ModelError, UsageError
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.model_spec.spec import Contract
from streamdet.models.catalog import resolve_model
from streamdet.models.model_info import inspect_model
from streamdet.models.onnx_file import ModelFile
from streamdet.models.provenance import read_provenance
from streamdet.models.ssd_resnet34 import SsdOutputs as Built
from streamdet.models.ssd_resnet34 import build_ssd_resnet34
from streamdet.openvino_runtime import has_openvino, openvino_core
from streamdet.picture import Picture

from ..models import disguise

SIZE = 448


def picture(seed: int) -> Picture:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return Picture.from_bgr(cv2.resize(coarse, (512, 384), interpolation=cv2.INTER_CUBIC))


SAMPLES = [Sample(f"picture {seed}", picture(seed)) for seed in range(2)]


@pytest.fixture(scope="module")
def graph():
    return build_ssd_resnet34(Built.PUBLISHED, seed=3, size=SIZE)


@pytest.fixture(scope="module")
def source(graph):
    return ModelFile(disguise.renamed(graph).SerializeToString(), "folder/published.onnx")


@pytest.fixture(scope="module")
def found_in_source(source):
    return detected(source)


def converted(file: ModelFile, samples=SAMPLES[:1], **options):
    return convert(file, resolve_model(file)[0], samples, ConvertOptions(**options))


def detected(file: ModelFile | Path, samples=SAMPLES[:1], provider="cpu", precision="auto"):
    with load_detector(file, DetectorOptions(conf=0.05, provider=provider, precision=precision)) as detector:
        return [found.detections for found in detector.detect([sample.picture for sample in samples])]


def assert_close(ours, theirs, share=0.97):
    """Most detections are found again, box, class and score."""
    for mine, other in zip(ours, theirs, strict=True):
        rows = {(int(c), *np.round(box).astype(int)) for c, box in zip(mine.class_ids, mine.boxes_xyxy, strict=True)}
        same = [
            (int(c), *np.round(b).astype(int)) in rows for c, b in zip(other.class_ids, other.boxes_xyxy, strict=True)
        ]
        assert np.mean(same) >= share


def test_heads(source, found_in_source):
    made = converted(source, SAMPLES)
    assert made.proof.agreement.count > 200
    assert made.proof.agreement.unexplained == 0
    file = ModelFile(made.files[".onnx"], "heads.onnx")
    read = inspect_model(file)
    assert read.spec.contract is Contract.SSD_HEADS
    assert read.spec.random_weights
    assert "detects nothing" in read.spec.about
    assert [(p.name, p.shape) for p in read.signature.inputs] == [("image", ("batch", 3, SIZE, SIZE))]
    assert read.graph.trainable == 19_972_534
    record = json.loads(read.signature.metadata["streamdet.converted"])
    assert record["from"] == "published.onnx"
    assert record["sha256"] == hashlib.sha256(source.data).hexdigest()
    assert record["options"] == ""
    assert record["proof"]["detections"] == made.proof.agreement.count
    assert read_provenance(read.signature.metadata["streamdet.converted"]).source == "published.onnx"
    assert_close(detected(file), found_in_source)


def test_bytes_with_everything_inside_run_as_they_are(source, found_in_source):
    made = converted(source, input_type=InputType.UINT8, layout=Layout.NHWC, channels=Channels.BGR, top_boxes=1500)
    assert made.proof.agreement.unexplained == 0
    assert made.proof.agreement.score < 1e-4
    assert any("rounding pixels to bytes" in note for note in made.notes)
    file = ModelFile(made.files[".onnx"], "bytes.onnx")
    read = inspect_model(file)
    assert [(p.name, p.shape, p.dtype) for p in read.signature.inputs] == [
        ("image", ("batch", SIZE, SIZE, 3), np.dtype(np.uint8))
    ]
    assert (read.spec.uint8, read.spec.nchw, read.spec.rgb) == (True, False, False)
    assert_close(detected(file), found_in_source, 0.8)
    # ConvertedModel again, it says that it has its heads already, and knows how it is fed without being told.
    again = converted(file, channels=Channels.RGB)
    assert "the source has its raw heads already" in again.notes
    second = inspect_model(again.files[".onnx"])
    assert (second.spec.uint8, second.spec.nchw, second.spec.rgb, second.spec.mean) == (False, True, True, (0, 0, 0))
    assert "published.onnx" in read_provenance(second.signature.metadata["streamdet.converted"]).before
    assert_close(detected(ModelFile(again.files[".onnx"], "again.onnx")), found_in_source)


@pytest.mark.slow
def test_the_published_form_again_with_other_input(source, found_in_source):
    made = converted(source, form=OutputForm.PUBLISHED, channels=Channels.BGR)
    file = ModelFile(made.files[".onnx"], "published.onnx")
    read = inspect_model(file)
    assert {p.name: p.shape for p in read.signature.outputs} == {
        "bboxes": (1, 200, 4),
        "labels": (1, 200),
        "scores": (1, 200),
    }
    assert (read.spec.contract, read.spec.label_offset, read.spec.rgb) == (Contract.SSD_PUBLISHED, 1, False)
    assert_close(detected(file), found_in_source)


def test_a_source_that_normalises_its_own_input(graph, source, found_in_source):
    """As the form that Open Model Zoo converts to: BGR 0..255, which nothing but its graph shows."""
    own = ModelFile(disguise.self_normalising(graph).SerializeToString(), "converted.onnx")
    made = converted(own)
    assert any("fed BGR, mean (0.0, 0.0, 0.0), std (1.0, 1.0, 1.0)" in note for note in made.notes)
    file = ModelFile(made.files[".onnx"], "heads.onnx")
    spec = resolve_model(file)[0]
    assert (spec.rgb, spec.mean, spec.std) == (False, (0, 0, 0), (1, 1, 1))
    assert_close(detected(file), found_in_source)


@pytest.mark.slow
def test_half_precision(source, found_in_source):
    made = converted(source, precision=TargetPrecision.FP16, input_type=InputType.UINT8)
    assert made.proof.agreement.share > 0.95
    assert len(made.files[".onnx"]) < 0.51 * len(source.data)
    assert_close(detected(ModelFile(made.files[".onnx"], "half.onnx")), found_in_source, 0.5)


def test_another_size_is_marked(source):
    made = converted(source, input_size=480)
    read = inspect_model(made.files[".onnx"])
    assert (read.spec.width, read.spec.height) == (480, 480)
    assert read.signature.metadata["streamdet.accuracy"].startswith("input 480x480 instead of 448x448")
    assert any("another accuracy point" in note for note in made.notes)
    assert any("the source cannot run at 480" in note for note in made.notes)


def test_openvino_as_its_page_describes_it(source, found_in_source, tmp_path):
    if not has_openvino():
        pytest.skip("openvino is not installed")
    made = converted(source, SAMPLES[:1], format=FileFormat.OPENVINO)
    assert made.proof.agreement.unexplained == 0
    for suffix, data in made.files.items():
        (tmp_path / "net.bin").with_suffix(suffix).write_bytes(data)
    model = openvino_core().read_model(tmp_path / "net.xml")
    assert [(p.any_name, tuple(p.shape)) for p in model.inputs] == [("image", (1, 3, SIZE, SIZE))]
    shapes = {port.any_name: tuple(port.shape) for port in model.outputs}
    assert shapes == {"bboxes": (1, 200, 4), "labels": (1, 200), "scores": (1, 200)}
    read = inspect_model(tmp_path / "net.xml")
    assert read_provenance(read.signature.metadata["streamdet.converted"]).source == "published.onnx"
    assert (read.spec.contract, read.spec.rgb, read.spec.mean) == (Contract.SSD_PUBLISHED, False, (0.0, 0.0, 0.0))
    assert read.spec.random_weights
    assert_close(detected(tmp_path / "net.xml", provider="openvino", precision="fp32"), found_in_source)


def test_openvino_missing_is_said_before_anything_runs(source, monkeypatch):
    monkeypatch.setattr("streamdet.convert.openvino_ir.has_openvino", lambda: False)
    with pytest.raises(UsageError, match=r"needs the openvino package: pip install 'streamdet\[convert\]'"):
        converted(source, format=FileFormat.OPENVINO)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 300}, "--input-size must be from 448 to 4096"),
        ({"top_boxes": -1}, "--top-boxes must be 0"),
        ({"batch": -1}, "--batch must be dynamic"),
        ({"form": OutputForm.PUBLISHED, "batch": 4}, "give --form heads for a batch"),
        ({"format": FileFormat.OPENVINO, "top_boxes": 10}, "--top-boxes filters raw heads"),
    ],
)
def test_options_that_cannot_work(options, message):
    with pytest.raises(UsageError) as error:
        ConvertOptions(**options)
    assert message in str(error.value)


def test_other_networks_keep_their_form(data_dir):
    file = ModelFile((data_dir / "models" / "yolox_nano.onnx").read_bytes(), "yolox_nano.onnx")
    refusal = (
        r"is not the network of ssd-resnet34-1200: looked for .* found 0 of them .*; of other networks only the pr"
    )
    with pytest.raises(ModelError, match=refusal):
        converted(file)
    bgr = cv2.imdecode(np.fromfile(data_dir / "images" / "000000000139.jpg", np.uint8), cv2.IMREAD_COLOR)
    sample = Sample("a photo", Picture.from_bgr(bgr))
    made = convert(file, resolve_model(file)[0], [sample], ConvertOptions(precision=TargetPrecision.FP16))
    half = ModelFile(made.files[".onnx"], "half.onnx")
    assert resolve_model(half)[0].contract is Contract.YOLOX
    assert_close(detected(half, [sample]), detected(file, [sample]), 0.7)
