"""INT8 through `convert`: the quantiser's report is kept, and what has lost its precision is not converted again."""

import json

import numpy as np
import pytest

from streamdet.cli.models.quantising import quantiser
from streamdet.errors import ModelError, UsageError
from streamdet.models.convert.convert import convert
from streamdet.models.convert.options import ConvertOptions, Precision
from streamdet.models.convert.proof import Sample
from streamdet.models.inspect import inspect_model
from streamdet.models.load import ModelFile, read_model
from streamdet.models.quantize.report import METADATA_KEY
from streamdet.models.zoo import resolve
from streamdet.picture import Picture

INT8 = ConvertOptions(precision=Precision.INT8)
GRAY = [Sample("gray", Picture.from_bgr(np.full((64, 64, 3), 128, np.uint8)))]


def test_a_trained_network(data_dir, monkeypatch):
    from streamdet.cli.models.pictures import load_samples

    monkeypatch.setattr("streamdet.cli.models.quantising.MOST_CALIBRATION", 6)
    file = read_model(data_dir / "models" / "yolox_nano.onnx")
    samples = load_samples(str(data_dir / "images"), 2)
    made = convert(
        file, resolve(file)[0], samples, INT8, quantiser(str(data_dir / "images" / "*00*.jpg"), None, None, 0.5)
    )
    read = inspect_model(ModelFile(made.files[".onnx"], "int8.onnx"))
    assert "layers in INT8" in made.report_text
    assert json.loads(read.signature.metadata[METADATA_KEY])["int8_share"] > 0.5
    assert json.loads(read.signature.metadata["streamdet.converted"])["options"] == "--precision int8"
    assert len(made.files[".onnx"]) < 0.5 * len(file.data)
    assert made.proof.agreement.matched > 0
    for precision in (Precision.FP16, Precision.INT8):
        with pytest.raises(ModelError, match="is quantised already: convert the model it was made from"):
            convert(
                ModelFile(made.files[".onnx"], "int8.onnx"),
                read.spec,
                samples,
                ConvertOptions(precision=precision),
                lambda *_: (b"", ""),
            )


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
        quantiser(filled[0], filled[1], None, 0.01)
    assert words in str(error.value)
