"""Conversions of the complete network at a small size; each is verified, and the files run like a user's."""

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
from streamdet.convert.verification import SampleImage
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


def smooth_picture(seed: int) -> Picture:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return Picture.from_bgr(cv2.resize(coarse, (512, 384), interpolation=cv2.INTER_CUBIC))


SAMPLES = [SampleImage(f"picture {seed}", smooth_picture(seed)) for seed in range(2)]


@pytest.fixture(scope="module")
def graph():
    return build_ssd_resnet34(Built.PUBLISHED, seed=3, size=SIZE)


@pytest.fixture(scope="module")
def source(graph):
    return ModelFile(disguise.renamed(graph).SerializeToString(), "folder/published.onnx")


@pytest.fixture(scope="module")
def source_detections(source):
    return detected(source)


def converted(file: ModelFile, samples=SAMPLES[:1], **options):
    return convert(file, resolve_model(file)[0], samples, ConvertOptions(**options))


def detected(file: ModelFile | Path, samples=SAMPLES[:1], provider="cpu", precision="auto"):
    with load_detector(file, DetectorOptions(conf=0.05, provider=provider, precision=precision)) as detector:
        return [inferred.detections for inferred in detector.detect([sample.picture for sample in samples])]


def assert_close(actual, expected, share=0.97):
    """Most expected detections are there, with equal class and rounded box."""
    for ours, other in zip(actual, expected, strict=True):
        rows = {(int(c), *np.round(box).astype(int)) for c, box in zip(ours.class_ids, ours.boxes_xyxy, strict=True)}
        matches = [
            (int(c), *np.round(b).astype(int)) in rows for c, b in zip(other.class_ids, other.boxes_xyxy, strict=True)
        ]
        assert np.mean(matches) >= share


def test_raw_heads(source, source_detections):
    result = converted(source, SAMPLES)
    assert result.verification.comparison.count > 200
    assert result.verification.comparison.unexplained == 0
    file = ModelFile(result.files[".onnx"], "heads.onnx")
    read = inspect_model(file)
    assert read.spec.contract is Contract.SSD_HEADS
    assert read.spec.random_weights
    assert "detects nothing" in read.spec.about
    assert [(p.name, p.shape) for p in read.signature.inputs] == [("image", ("batch", 3, SIZE, SIZE))]
    assert read.graph.trainable == 19_972_534
    conversion = json.loads(read.signature.metadata["streamdet.converted"])
    assert conversion["from"] == "published.onnx"
    assert conversion["sha256"] == hashlib.sha256(source.data).hexdigest()
    assert conversion["options"] == ""
    assert conversion["verification"]["detections"] == result.verification.comparison.count
    assert read_provenance(read.signature.metadata["streamdet.converted"]).source == "published.onnx"
    assert_close(detected(file), source_detections)


def test_a_uint8_input_with_preprocessing_inside(source, source_detections):
    result = converted(source, input_type=InputType.UINT8, layout=Layout.NHWC, channels=Channels.BGR, top_boxes=1500)
    assert result.verification.comparison.unexplained == 0
    assert result.verification.comparison.max_score_difference < 1e-4
    assert any("rounding pixels to bytes keeps" in note for note in result.notes)
    file = ModelFile(result.files[".onnx"], "bytes.onnx")
    read = inspect_model(file)
    assert [(p.name, p.shape, p.dtype) for p in read.signature.inputs] == [
        ("image", ("batch", SIZE, SIZE, 3), np.dtype(np.uint8))
    ]
    assert (read.spec.uint8, read.spec.nchw, read.spec.rgb) == (True, False, False)
    assert_close(detected(file), source_detections, 0.8)
    # Converted again: the heads are found, and the metadata describes the input.
    again = converted(file, channels=Channels.RGB)
    assert "the source has raw heads already" in again.notes
    second = inspect_model(again.files[".onnx"])
    assert (second.spec.uint8, second.spec.nchw, second.spec.rgb, second.spec.mean) == (False, True, True, (0, 0, 0))
    assert "published.onnx" in read_provenance(second.signature.metadata["streamdet.converted"]).before
    assert_close(detected(ModelFile(again.files[".onnx"], "again.onnx")), source_detections)


@pytest.mark.slow
def test_the_published_form_with_another_input(source, source_detections):
    result = converted(source, form=OutputForm.PUBLISHED, channels=Channels.BGR)
    file = ModelFile(result.files[".onnx"], "published.onnx")
    read = inspect_model(file)
    assert {p.name: p.shape for p in read.signature.outputs} == {
        "bboxes": (1, 200, 4),
        "labels": (1, 200),
        "scores": (1, 200),
    }
    assert (read.spec.contract, read.spec.label_offset, read.spec.rgb) == (Contract.SSD_PUBLISHED, 1, False)
    assert_close(detected(file), source_detections)


def test_a_source_that_normalizes_its_own_input(graph, source, source_detections):
    """Like the form that Open Model Zoo converts to: BGR 0..255, which only its graph shows."""
    own = ModelFile(disguise.self_normalizing(graph).SerializeToString(), "converted.onnx")
    result = converted(own)
    assert any("it takes BGR, mean (0.0, 0.0, 0.0), std (1.0, 1.0, 1.0)" in note for note in result.notes)
    file = ModelFile(result.files[".onnx"], "heads.onnx")
    spec = resolve_model(file)[0]
    assert (spec.rgb, spec.mean, spec.std) == (False, (0, 0, 0), (1, 1, 1))
    assert_close(detected(file), source_detections)


@pytest.mark.slow
def test_fp16(source, source_detections):
    result = converted(source, precision=TargetPrecision.FP16, input_type=InputType.UINT8)
    assert result.verification.comparison.matched_share > 0.95
    assert len(result.files[".onnx"]) < 0.51 * len(source.data)
    assert_close(detected(ModelFile(result.files[".onnx"], "half.onnx")), source_detections, 0.5)


def test_a_resized_model_has_a_warning_about_its_accuracy(source):
    result = converted(source, input_size=480)
    read = inspect_model(result.files[".onnx"])
    assert (read.spec.width, read.spec.height) == (480, 480)
    assert read.signature.metadata["streamdet.accuracy"].startswith("input 480x480 instead of 448x448")
    assert any("the accuracy at 480x480 differs" in note for note in result.notes)
    assert any("the source cannot run at 480" in note for note in result.notes)


def test_openvino_has_the_published_input_and_outputs(source, source_detections, tmp_path):
    if not has_openvino():
        pytest.skip("openvino is not installed")
    result = converted(source, SAMPLES[:1], format=FileFormat.OPENVINO)
    assert result.verification.comparison.unexplained == 0
    for suffix, data in result.files.items():
        (tmp_path / "net.bin").with_suffix(suffix).write_bytes(data)
    model = openvino_core().read_model(tmp_path / "net.xml")
    assert [(p.any_name, tuple(p.shape)) for p in model.inputs] == [("image", (1, 3, SIZE, SIZE))]
    shapes = {port.any_name: tuple(port.shape) for port in model.outputs}
    assert shapes == {"bboxes": (1, 200, 4), "labels": (1, 200), "scores": (1, 200)}
    read = inspect_model(tmp_path / "net.xml")
    assert read_provenance(read.signature.metadata["streamdet.converted"]).source == "published.onnx"
    assert (read.spec.contract, read.spec.rgb, read.spec.mean) == (Contract.SSD_PUBLISHED, False, (0.0, 0.0, 0.0))
    assert read.spec.random_weights
    assert_close(detected(tmp_path / "net.xml", provider="openvino", precision="fp32"), source_detections)


def test_a_missing_openvino_is_reported_before_anything_runs(source, monkeypatch):
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
def test_invalid_options(options, message):
    with pytest.raises(UsageError) as error:
        ConvertOptions(**options)
    assert message in str(error.value)


def test_other_networks_change_only_their_precision(data_dir):
    file = ModelFile((data_dir / "models" / "yolox_nano.onnx").read_bytes(), "yolox_nano.onnx")
    refusal = (
        r"is not the network of ssd-resnet34-1200: looked for .* found 0 of them .*; of other networks only the pr"
    )
    with pytest.raises(ModelError, match=refusal):
        converted(file)
    bgr = cv2.imdecode(np.fromfile(data_dir / "images" / "000000000139.jpg", np.uint8), cv2.IMREAD_COLOR)
    sample = SampleImage("a photo", Picture.from_bgr(bgr))
    result = convert(file, resolve_model(file)[0], [sample], ConvertOptions(precision=TargetPrecision.FP16))
    half = ModelFile(result.files[".onnx"], "half.onnx")
    assert resolve_model(half)[0].contract is Contract.YOLOX
    assert_close(detected(half, [sample]), detected(file, [sample]), 0.7)
