"""The complete quantizer on a small detector with a known sensitive layer."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from streamdet.errors import ModelError, UsageError
from streamdet.inference.session import Session
from streamdet.models.onnx_file import ModelFile, onnx_signature
from streamdet.models.recognize import recognize
from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34
from streamdet.quantize import CalibrationMethod, QuantizeOptions, QuantizeReport, quantize
from streamdet.quantize.quantizer import split
from streamdet.quantize.report import METADATA_KEY
from tests.quantize.blob_detector import SPEC, as_file, detector, write_photos


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def quantized(paths):
    return quantize(as_file(detector()), SPEC, paths)


def producers(model):
    return {name: node for node in model.graph.node for name in node.output}


def test_all_layers_of_an_insensitive_network_are_quantized(quantized):
    assert quantized.report.in_float == ()
    assert quantized.report.int8_share == pytest.approx(1)
    assert quantized.report.loss <= 0.01
    assert quantized.report.agreement >= 0.99
    assert (quantized.report.calibration_images, quantized.report.validation_images) == (8, 4)


def test_layers_are_between_qdq_pairs_and_have_a_scale_per_channel(quantized):
    model = onnx.load_model_from_string(quantized.data)
    onnx.checker.check_model(model)
    producer = producers(model)
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    layers = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(layers) == 7
    for layer in layers:
        activation, weights, bias = (producer[name] for name in layer.input)
        assert {activation.op_type, weights.op_type, bias.op_type} == {"DequantizeLinear"}
        assert arrays[activation.input[2]].dtype == np.uint8
        values, scales = arrays[weights.input[0]], arrays[weights.input[1]]
        assert values.dtype == np.int8
        assert scales.shape == (len(values),)
        assert (arrays[weights.input[2]] == 0).all()
        assert arrays[bias.input[0]].dtype == np.int32
        np.testing.assert_allclose(arrays[bias.input[1]], scales * arrays[activation.input[1]], rtol=1e-6)
        (after,) = (node for node in model.graph.node if layer.output[0] in node.input)
        assert after.op_type == "QuantizeLinear"


def test_nodes_after_the_last_layers_stay_in_float(quantized):
    model = onnx.load_model_from_string(quantized.data)
    producer, reached, waiting = producers(model), set(), [model.graph.output[0].name]
    while waiting:  # from the output back to the heads
        node = producer[waiting.pop()]
        reached.add(node.op_type)
        if node.op_type not in ("DequantizeLinear", "QuantizeLinear", "Conv"):
            waiting += [name for name in node.input if name in producer]
    assert reached == {"Transpose", "Concat", "Reshape", "Sigmoid", "Split", "DequantizeLinear"}


def test_nodes_between_layers_compute_on_integers(quantized):
    model = onnx.load_model_from_string(quantized.data)
    producer = producers(model)
    pools = [node for node in model.graph.node if node.op_type == "MaxPool"]
    assert len(pools) == 2
    for pool in pools:
        before = producer[pool.input[0]]
        (after,) = (node for node in model.graph.node if pool.output[0] in node.input)
        arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        assert (before.op_type, after.op_type) == ("DequantizeLinear", "QuantizeLinear")
        assert arrays[before.input[1]] == arrays[after.input[1]]  # the same scale: nothing is computed


def test_onnx_runtime_computes_the_layers_in_integers(quantized, tmp_path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(quantized.data, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert operators.count("QLinearConv") == 7
    assert "Conv" not in operators
    assert operators.count("QuickGelu") == 4


def test_only_the_sensitive_layer_stays_in_float(paths):
    result = quantize(as_file(detector(fragile=True)), SPEC, paths)
    assert result.report.in_float == ("fragile",)
    assert result.report.agreement >= 0.99
    sensitivity = {layer.name: layer.sensitivity for layer in result.report.layers}
    assert sensitivity.pop("fragile") > 5 * max(sensitivity.values())
    model = onnx.load_model_from_string(result.data)
    (fragile,) = (node for node in model.graph.node if node.name == "fragile")
    assert fragile.input[1:] == ["fragile_w", "fragile_b"]  # its float weights, without bias correction
    unchecked = quantize(as_file(detector(fragile=True)), SPEC, paths, QuantizeOptions(check_accuracy=False))
    assert unchecked.report.in_float == ()
    assert unchecked.report.agreement < 0.5


def test_excluded_layers_stay_in_float(paths):
    result = quantize(as_file(detector()), SPEC, paths, QuantizeOptions(exclude=("stem", "head_1")))
    assert result.report.in_float == ("stem", "head_1")
    total = 8 * 8 * 8 * (3 * 64 + 8 + 9 + 8) + 6 * 8 * (64 + 16 + 4)  # stem, 1x1, depthwise, 1x1, heads
    assert result.report.int8_share == pytest.approx(1 - (8 * 8 * 8 * 3 * 64 + 6 * 8 * 16) / total)


def test_old_opsets_are_converted(paths):
    result = quantize(as_file(detector(opset=11)), SPEC, paths)
    model = onnx.load_model_from_string(result.data)
    assert next(entry.version for entry in model.opset_import if not entry.domain) >= 13
    assert result.report.in_float == ()


def test_an_unreachable_limit_on_loss_is_an_error(paths):
    calls = []

    def score(file):
        calls.append(file.name)
        return 1.0 if len(calls) == 1 else 0.5

    with pytest.raises(ModelError, match=r"no layer can be quantized without losing more than 0\.01"):
        quantize(as_file(detector()), SPEC, paths, score=score)
    assert calls[0] == "blobs.onnx"


def test_too_small_a_share_in_int8_is_an_error(paths):
    options = QuantizeOptions(exclude=("stem",), min_share=0.5)
    with pytest.raises(ModelError, match=r"only 1\d% of its multiply-adds can be INT8.*50% are required"):
        quantize(as_file(detector()), SPEC, paths, options)


def test_a_score_on_labeled_photos_decides(paths):
    def score(file):  # a metric that depends on the stem only
        operators = producers(onnx.load_model_from_string(file.data))
        return 0.5 if operators["stem"].op_type == "DequantizeLinear" else 0.9

    result = quantize(as_file(detector()), SPEC, paths, score=score)
    assert "stem" in result.report.in_float
    assert (result.report.float_score, result.report.int8_score) == (0.9, 0.9)
    assert result.report.measure == "score on labeled photos"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": ("stam",)}, "no layer 'stam' to exclude"),
        ({"max_loss": -0.1}, "max_loss must be"),
        ({"min_share": 2}, "min_share must be"),
        ({"validation_share": 0}, "validation_share must"),
    ],
)
def test_invalid_options(options, message, paths):
    with pytest.raises(UsageError, match=message):
        quantize(as_file(detector()), SPEC, paths, QuantizeOptions(**options))


def test_missing_photos_are_an_error():
    with pytest.raises(UsageError, match="needs calibration photos"):
        quantize(as_file(detector()), SPEC, [])


def test_a_quantized_model_is_an_error(quantized, paths):
    with pytest.raises(ModelError, match="is already quantized"):
        quantize(ModelFile(quantized.data, "int8.onnx"), SPEC, paths)


def test_the_result_is_reproducible(quantized, paths):
    assert quantize(as_file(detector()), SPEC, paths).data == quantized.data


@pytest.mark.parametrize("method", CalibrationMethod)
def test_models_of_every_calibration_method_run(method, paths):
    options = QuantizeOptions(method=method, per_channel=False, symmetric=True, reduce_range=True, fuse_silu=False)
    result = quantize(as_file(detector()), SPEC, paths, options)
    model = onnx.load_model_from_string(result.data)
    assert {node.domain for node in model.graph.node} == {""}
    weights = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name.endswith("_weights_q")]
    assert max(np.abs(values).max() for values in weights) == 63
    with Session(ModelFile(result.data, "int8"), provider="cpu", precision="int8") as session:
        assert session.run(np.zeros((1, 3, 64, 64), np.float32))["output"].shape == (1, 84, 6)


def test_random_weights_are_validated_by_raw_outputs(paths):
    result = quantize(as_file(detector()), replace(SPEC, random_weights=True), paths)
    assert "power" in result.report.measure
    assert result.report.agreement is None
    assert 0.99 < result.report.int8_score < 1


def test_the_report_is_in_the_metadata(quantized):
    model = onnx.load_model_from_string(quantized.data)
    (text,) = (entry.value for entry in model.metadata_props if entry.key == METADATA_KEY)
    assert QuantizeReport.from_json(text) == quantized.report
    assert json.loads(text)["int8_share"] == pytest.approx(1)
    assert quantized.report.text().splitlines()[0] == "7 of 7 layers in INT8, 100.0% of the multiply-adds"
    assert "depthwise    4.0%" in quantized.report.text(every_layer=True)
    earlier = text.replace('"calibration_images"', '"calibrated_on"').replace('"validation_images"', '"decided_on"')
    assert QuantizeReport.from_json(earlier.replace('"float_start"', '"spared"')) == quantized.report
    for broken in ("", "[]", text.replace('"int8": true', '"int8": "perhaps"')):
        with pytest.raises(ValueError, match="QuantizeReport"):
            QuantizeReport.from_json(broken)


@pytest.mark.parametrize(
    ("count", "calibration", "validation"), [(1, 1, 1), (3, 3, 3), (4, 2, 2), (9, 5, 4), (100, 50, 50)]
)
def test_photos_are_split_without_overlap(count, calibration, validation):
    first, second = split(list(range(count)), 0.5)
    assert (len(first), len(second)) == (calibration, validation)
    assert (set(first) & set(second) == set()) == (count > 3)
    assert set(first) | set(second) == set(range(count))


def test_a_model_with_uint8_input(paths):
    model = detector()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[0] == "images":
            node.input[0] = "floats"
    model.graph.node.insert(0, onnx.helper.make_node("Cast", ["images"], ["floats"], "cast", to=onnx.TensorProto.FLOAT))
    result = quantize(as_file(model), replace(SPEC, uint8=True), paths)
    assert result.report.in_float == ()
    with Session(ModelFile(result.data, "int8"), provider="cpu") as session:
        assert session.input.dtype == np.uint8


def test_all_layers_of_the_flagship_are_quantized_for_any_batch(tmp_path):
    model = build_ssd_resnet34(SsdOutputs.HEADS, size=448)
    file = ModelFile(model.SerializeToString(), "flagship")
    spec = replace(recognize(onnx_signature(model), "flagship"), random_weights=True)
    result = quantize(file, spec, write_photos(tmp_path, count=2))
    assert len(result.report.layers) == 51
    assert result.report.in_float == ()
    assert result.report.loss <= 0.01
    with Session(ModelFile(result.data, "int8"), provider="cpu") as session:
        loc = session.run(np.zeros((2, 3, 448, 448), np.float32))["loc"]
    assert loc.shape[:2] == (2, 4)
