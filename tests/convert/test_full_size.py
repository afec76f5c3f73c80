"""`streamdet models convert` at full size, on real photos, from a graph that PyTorch exported.

    pytest -m slow -s tests/convert/test_full_size.py

Each inference takes seconds. The measurements are printed.
"""

import json
from collections import Counter

import pytest

from streamdet.cli.models.sample_images import load_samples, photo_paths
from streamdet.convert.convert import convert
from streamdet.convert.openvino_ir import require_openvino
from streamdet.convert.options import Channels, ConvertOptions, FileFormat, InputType, Layout, TargetPrecision
from streamdet.models.catalog import resolve_model
from streamdet.models.onnx_file import ModelFile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
SIZE = 1200


@pytest.fixture(scope="module")
def source():
    torch_ssd = pytest.importorskip("tests.models.torch_ssd")
    exported = {}

    def of(seed: int) -> ModelFile:
        if seed not in exported:
            exported.clear()  # 80 MB each
            exported[seed] = ModelFile(torch_ssd.exported(torch_ssd.network(seed, SIZE), SIZE), f"torch-{seed}.onnx")
        return exported[seed]

    return of


def print_verification(name, converted):
    print("\n" + json.dumps({"name": name, **converted.verification.as_dict(), "notes": converted.notes}))


@pytest.mark.parametrize("seed", range(3))
def test_heads_detect_the_same_as_the_graph_on_twenty_photos(source, data_dir, seed):
    file = source(seed)
    converted = convert(file, resolve_model(file)[0], load_samples(str(data_dir / "images"), 20), ConvertOptions())
    print_verification(f"heads, seed {seed}", converted)
    comparison = converted.verification.comparison
    assert len(converted.verification.samples) == 20
    assert comparison.count > 1000
    assert comparison.unexplained == 0
    assert comparison.max_box_difference <= 1e-4
    assert comparison.max_score_difference <= 1e-4


@pytest.mark.parametrize(
    "options",
    [
        ConvertOptions(None, InputType.UINT8, Layout.NHWC, Channels.BGR, top_boxes=4000),
        ConvertOptions(precision=TargetPrecision.FP16),
        ConvertOptions(format=FileFormat.OPENVINO),
        ConvertOptions(input_size=800),
        ConvertOptions(precision=TargetPrecision.INT8),
    ],
    ids=["uint8", "fp16", "openvino", "size", "int8"],
)
def test_other_forms(source, data_dir, options):
    if options.format is FileFormat.OPENVINO:
        require_openvino()
    file = source(0)

    def quantizer(file, spec, progress):
        from streamdet.quantize import QuantizeOptions, quantize

        paths = photo_paths(str(data_dir / "images"))[:3]
        quantized = quantize(file, spec, paths, QuantizeOptions(max_loss=0.9), None, progress)
        return quantized.data, quantized.report.text()

    samples = load_samples(str(data_dir / "images"), 3)
    converted = convert(file, resolve_model(file)[0], samples, options, quantizer, print)
    print_verification(options.as_text(), converted)
    print(converted.quantizer_report, Counter({key: len(value) for key, value in converted.files.items()}))
