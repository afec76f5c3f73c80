"""INT8 through `convert`: the quantizer's report is kept, and what has lost its precision is not converted again."""

import json

import numpy as np
import pytest
from onnx import numpy_helper

from streamdet.cli.models.quantize import make_quantizer
from streamdet.convert.convert import convert
from streamdet.convert.options import ConvertOptions, TargetPrecision
from streamdet.convert.proof import Sample
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
TEXTURE = [Sample("texture", Picture.from_bgr(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)))]


def test_a_trained_network(data_dir, monkeypatch):
    from streamdet.cli.models.sample_images import load_samples

    monkeypatch.setattr("streamdet.cli.models.quantize.MAX_CALIBRATION_PHOTOS", 6)
    file = read_model(data_dir / "models" / "yolox_nano.onnx")
    samples = load_samples(str(data_dir / "images"), 2)
    made = convert(
        file,
        resolve_model(file)[0],
        samples,
        INT8,
        make_quantizer(str(data_dir / "images" / "*00*.jpg"), None, None, 0.5),
    )
    read = inspect_model(ModelFile(made.files[".onnx"], "int8.onnx"))
    assert "layers in INT8" in made.report_text
    assert json.loads(read.signature.metadata[METADATA_KEY])["int8_share"] > 0.5
    assert json.loads(read.signature.metadata["streamdet.converted"])["options"] == "--precision int8"
    assert len(made.files[".onnx"]) < 0.5 * len(file.data)
    assert made.proof.agreement.matched > 0
    for precision in (TargetPrecision.FP16, TargetPrecision.INT8):
        with pytest.raises(ModelError, match="is quantised already: convert the model it was made from"):
            convert(
                ModelFile(made.files[".onnx"], "int8.onnx"),
                read.spec,
                samples,
                ConvertOptions(precision=precision),
                lambda *_: (b"", ""),
            )


def test_what_is_quantised_is_proven_first(monkeypatch):
    """The proof of an INT8 form judges nothing, so that of the float one before it has to."""
    file = ModelFile(build_ssd_resnet34(SsdOutputs.PUBLISHED, seed=3, size=448).SerializeToString(), "published.onnx")
    spec, quantised = resolve_model(file)[0], []

    def quantise(model, made, progress):
        quantised.append(made.contract)
        return model.data, "as it was"

    made = convert(file, spec, TEXTURE, INT8, quantise)
    assert "before INT8, in float32, 200 of 200 detections agreed with its source" in made.notes
    assert (made.report_text, quantised) == ("as it was", [Contract.SSD_HEADS])

    def damaged(network):
        heads = to_heads(network)
        weights = next(t for t in heads.graph.initializer if tuple(t.dims) == (64, 3, 7, 7))
        weights.CopyFrom(numpy_helper.from_array(0.99 * numpy_helper.to_array(weights), weights.name))
        return heads

    monkeypatch.setattr("streamdet.convert.flagship.to_heads", damaged)
    with pytest.raises(ModelError, match="the result differs from its source, so it is not written"):
        convert(file, spec, TEXTURE, INT8, quantise)
    assert len(quantised) == 1


@pytest.mark.parametrize(
    ("calibration", "annotations", "words"),
    [
        (None, None, "--precision int8 needs --calibration"),
        ("{f}/*.png", "{f}/a.json", "needs the folder of its photos"),
    ],
)
def test_what_it_needs(tmp_path, calibration, annotations, words):
    (tmp_path / "a.png").write_bytes(b"")
    filled = [value and value.format(f=tmp_path) for value in (calibration, annotations)]
    with pytest.raises(UsageError) as error:
        make_quantizer(filled[0], filled[1], None, 0.01)
    assert words in str(error.value)
