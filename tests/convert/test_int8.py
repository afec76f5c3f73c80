"""INT8 through `convert`: the quantizer's report is kept, and a model in lower precision is not converted again."""

import json

import numpy as np
import pytest
from onnx import numpy_helper

from streamdet.cli.models.quantize import make_quantizer
from streamdet.convert.convert import convert
from streamdet.convert.options import ConvertOptions, TargetPrecision
from streamdet.convert.verification import SampleImage
from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.spec import Contract
from streamdet.models.catalog import resolve_model
from streamdet.models.find_ssd import to_heads
from streamdet.models.model_info import inspect_model
from streamdet.models.onnx_file import ModelFile, read_model
from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34
from streamdet.picture import Picture
from streamdet.quantize.report import METADATA_KEY

INT8 = ConvertOptions(precision=TargetPrecision.INT8)
TEXTURE = [
    SampleImage("texture", Picture.from_bgr(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)))
]


def test_a_trained_network_and_its_report(data_dir, monkeypatch):
    from streamdet.cli.models.sample_images import load_samples

    monkeypatch.setattr("streamdet.cli.models.quantize.MAX_CALIBRATION_PHOTOS", 6)
    file = read_model(data_dir / "models" / "yolox_nano.onnx")
    samples = load_samples(str(data_dir / "images"), 2)
    result = convert(
        file,
        resolve_model(file)[0],
        samples,
        INT8,
        make_quantizer(str(data_dir / "images" / "*00*.jpg"), None, None, 0.5),
    )
    read = inspect_model(ModelFile(result.files[".onnx"], "int8.onnx"))
    assert "layers in INT8" in result.quantizer_report
    assert json.loads(read.signature.metadata[METADATA_KEY])["int8_share"] > 0.5
    assert json.loads(read.signature.metadata["streamdet.converted"])["options"] == "--precision int8"
    assert len(result.files[".onnx"]) < 0.5 * len(file.data)
    assert result.verification.comparison.matched > 0
    for precision in (TargetPrecision.FP16, TargetPrecision.INT8):
        with pytest.raises(ModelError, match="is already quantized: convert the model it was made from"):
            convert(
                ModelFile(result.files[".onnx"], "int8.onnx"),
                read.spec,
                samples,
                ConvertOptions(precision=precision),
                lambda *_: (b"", ""),
            )


def test_the_float_model_is_verified_before_int8(monkeypatch):
    """The verification of an INT8 form has no limit, so that of the float model before it must have one."""
    file = ModelFile(build_ssd_resnet34(SsdOutputs.PUBLISHED, seed=3, size=448).SerializeToString(), "published.onnx")
    spec, calls = resolve_model(file)[0], []

    def quantizer(model, spec, progress):
        calls.append(spec.contract)
        return model.data, "unchanged"

    result = convert(file, spec, TEXTURE, INT8, quantizer)
    assert "before INT8, in float32, 200 of 200 detections matched those of its source" in result.notes
    assert (result.quantizer_report, calls) == ("unchanged", [Contract.SSD_HEADS])

    def damaged(network):
        heads = to_heads(network)
        weights = next(t for t in heads.graph.initializer if tuple(t.dims) == (64, 3, 7, 7))
        weights.CopyFrom(numpy_helper.from_array(0.99 * numpy_helper.to_array(weights), weights.name))
        return heads

    monkeypatch.setattr("streamdet.convert.flagship.to_heads", damaged)
    with pytest.raises(ModelError, match="the result differs from its source, so it is not written"):
        convert(file, spec, TEXTURE, INT8, quantizer)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("calibration", "annotations", "message"),
    [
        (None, None, "--precision int8 needs --calibration"),
        ("{f}/*.png", "{f}/a.json", "needs the folder of its photos"),
    ],
)
def test_missing_photos_are_reported(tmp_path, calibration, annotations, message):
    (tmp_path / "a.png").write_bytes(b"")
    filled = [value and value.format(f=tmp_path) for value in (calibration, annotations)]
    with pytest.raises(UsageError) as error:
        make_quantizer(filled[0], filled[1], None, 0.01)
    assert message in str(error.value)
