"""The whole quantiser on a small detector of known weaknesses."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from streamdet.errors import ModelError, UsageError
from streamdet.inference.session import Session
from streamdet.models.onnx_file import ModelFile, onnx_signature
from streamdet.models.recognise import recognise
from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34
from streamdet.quantize import CalibrationMethod, QuantizeOptions, QuantizeReport, quantize
from streamdet.quantize.quantizer import split
from streamdet.quantize.report import METADATA_KEY
from tests.quantize.blob_detector import SPEC, as_file, detector, photos


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def sound(paths):
    return quantize(as_file(detector()), SPEC, paths)


def producer_of(model):
    return {name: node for node in model.graph.node for name in node.output}


def test_a_sound_network_is_quantised_whole(sound):
    assert sound.report.in_float == ()
    assert sound.report.int8_share == pytest.approx(1)
    assert sound.report.loss <= 0.01
    assert sound.report.agreement >= 0.99
    assert (sound.report.calibration_images, sound.report.validation_images) == (8, 4)


def test_layers_stand_between_pairs_and_have_a_scale_for_each_channel(sound):
    model = onnx.load_model_from_string(sound.data)
    onnx.checker.check_model(model)
    made_by = producer_of(model)
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    layers = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(layers) == 7
    for layer in layers:
        activation, weights, bias = (made_by[name] for name in layer.input)
        assert {activation.op_type, weights.op_type, bias.op_type} == {"DequantizeLinear"}
        assert arrays[activation.input[2]].dtype == np.uint8
        values, scales = arrays[weights.input[0]], arrays[weights.input[1]]
        assert values.dtype == np.int8
        assert scales.shape == (len(values),)
        assert (arrays[weights.input[2]] == 0).all()
        assert arrays[bias.input[0]].dtype == np.int32
        np.testing.assert_allclose(arrays[bias.input[1]], scales * arrays[activation.input[1]], rtol=1e-6)
        (behind,) = (node for node in model.graph.node if layer.output[0] in node.input)
        assert behind.op_type == "QuantizeLinear"


def test_the_arithmetic_behind_the_last_layers_stays_in_float(sound):
    model = onnx.load_model_from_string(sound.data)
    made_by, reached, waiting = producer_of(model), set(), [model.graph.output[0].name]
    while waiting:  # back from the output to the heads
        node = made_by[waiting.pop()]
        reached.add(node.op_type)
        if node.op_type not in ("DequantizeLinear", "QuantizeLinear", "Conv"):
            waiting += [name for name in node.input if name in made_by]
    assert reached == {"Transpose", "Concat", "Reshape", "Sigmoid", "Split", "DequantizeLinear"}


def test_what_lies_between_layers_passes_integers_on(sound):
    model = onnx.load_model_from_string(sound.data)
    made_by = producer_of(model)
    pools = [node for node in model.graph.node if node.op_type == "MaxPool"]
    assert len(pools) == 2
    for pool in pools:
        before = made_by[pool.input[0]]
        (behind,) = (node for node in model.graph.node if pool.output[0] in node.input)
        arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        assert (before.op_type, behind.op_type) == ("DequantizeLinear", "QuantizeLinear")
        assert arrays[before.input[1]] == arrays[behind.input[1]]  # one grid: nothing is computed


def test_the_runtime_computes_its_layers_in_integers(sound, tmp_path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(sound.data, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert operators.count("QLinearConv") == 7
    assert "Conv" not in operators
    assert operators.count("QuickGelu") == 4


def test_the_guard_finds_the_fragile_layer_and_no_other(paths):
    found = quantize(as_file(detector(fragile=True)), SPEC, paths)
    assert found.report.in_float == ("fragile",)
    assert found.report.agreement >= 0.99
    alone = {layer.name: layer.sensitivity for layer in found.report.layers}
    assert alone.pop("fragile") > 5 * max(alone.values())
    model = onnx.load_model_from_string(found.data)
    (fragile,) = (node for node in model.graph.node if node.name == "fragile")
    assert fragile.input[1:] == ["fragile_w", "fragile_b"]  # its own float weights, uncorrected
    unguarded = quantize(as_file(detector(fragile=True)), SPEC, paths, QuantizeOptions(check_accuracy=False))
    assert unguarded.report.in_float == ()
    assert unguarded.report.agreement < 0.5


def test_excluded_layers_stay_in_float(paths):
    found = quantize(as_file(detector()), SPEC, paths, QuantizeOptions(exclude=("stem", "head_1")))
    assert found.report.in_float == ("stem", "head_1")
    total = 8 * 8 * 8 * (3 * 64 + 8 + 9 + 8) + 6 * 8 * (64 + 16 + 4)  # stem, 1x1, depthwise, 1x1, heads
    assert found.report.int8_share == pytest.approx(1 - (8 * 8 * 8 * 3 * 64 + 6 * 8 * 16) / total)


def test_old_opsets_are_lifted(paths):
    found = quantize(as_file(detector(opset=11)), SPEC, paths)
    model = onnx.load_model_from_string(found.data)
    assert next(entry.version for entry in model.opset_import if not entry.domain) >= 13
    assert found.report.in_float == ()


def test_a_loss_that_cannot_be_kept_is_refused(paths):
    calls = []

    def score(file):
        calls.append(file.name)
        return 1.0 if len(calls) == 1 else 0.5

    with pytest.raises(ModelError, match=r"no layer can be quantised without losing more than 0\.01"):
        quantize(as_file(detector()), SPEC, paths, score=score)
    assert calls[0] == "blobs.onnx"


def test_too_small_a_share_is_refused(paths):
    options = QuantizeOptions(exclude=("stem",), min_share=0.5)
    with pytest.raises(ModelError, match=r"only 1\d% of its multiply-adds can be INT8.*50% are required"):
        quantize(as_file(detector()), SPEC, paths, options)


def test_labels_count_where_there_are_some(paths):
    def score(file):  # a metric that the stem alone decides
        operators = producer_of(onnx.load_model_from_string(file.data))
        return 0.5 if operators["stem"].op_type == "DequantizeLinear" else 0.9

    found = quantize(as_file(detector()), SPEC, paths, score=score)
    assert "stem" in found.report.in_float
    assert (found.report.float_score, found.report.int8_score) == (0.9, 0.9)
    assert found.report.measure == "score on labelled photos"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": ("stam",)}, "no layer 'stam' to exclude"),
        ({"max_loss": -0.1}, "max_loss must be"),
        ({"min_share": 2}, "min_share must be"),
        ({"validation_share": 0}, "validation_share must"),
    ],
)
def test_options_that_cannot_work(options, message, paths):
    with pytest.raises(UsageError, match=message):
        quantize(as_file(detector()), SPEC, paths, QuantizeOptions(**options))


def test_photos_are_needed():
    with pytest.raises(UsageError, match="needs calibration photos"):
        quantize(as_file(detector()), SPEC, [])


def test_a_quantised_model_is_refused(sound, paths):
    with pytest.raises(ModelError, match="is already quantised"):
        quantize(ModelFile(sound.data, "int8.onnx"), SPEC, paths)


def test_the_same_again_gives_the_same_file(sound, paths):
    assert quantize(as_file(detector()), SPEC, paths).data == sound.data


@pytest.mark.parametrize("method", CalibrationMethod)
def test_every_method_gives_a_model_that_runs(method, paths):
    options = QuantizeOptions(method=method, per_channel=False, symmetric=True, reduce_range=True, fuse_silu=False)
    found = quantize(as_file(detector()), SPEC, paths, options)
    model = onnx.load_model_from_string(found.data)
    assert {node.domain for node in model.graph.node} == {""}
    weights = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name.endswith("_weights_q")]
    assert max(np.abs(values).max() for values in weights) == 63
    with Session(ModelFile(found.data, "int8"), provider="cpu", precision="int8") as session:
        assert session.run(np.zeros((1, 3, 64, 64), np.float32))["output"].shape == (1, 84, 6)


def test_random_weights_are_judged_by_their_outputs(paths):
    found = quantize(as_file(detector()), replace(SPEC, random_weights=True), paths)
    assert "power" in found.report.measure
    assert found.report.agreement is None
    assert 0.99 < found.report.int8_score < 1


def test_the_report_is_in_the_file_and_reads_well(sound):
    model = onnx.load_model_from_string(sound.data)
    (text,) = (entry.value for entry in model.metadata_props if entry.key == METADATA_KEY)
    assert QuantizeReport.from_json(text) == sound.report
    assert json.loads(text)["int8_share"] == pytest.approx(1)
    assert sound.report.text().splitlines()[0] == "7 of 7 layers in INT8, 100.0% of the multiply-adds"
    assert "depthwise    4.0%" in sound.report.text(every_layer=True)
    earlier = text.replace('"calibration_images"', '"calibrated_on"').replace('"validation_images"', '"decided_on"')
    assert QuantizeReport.from_json(earlier.replace('"float_start"', '"spared"')) == sound.report
    for broken in ("", "[]", text.replace('"int8": true', '"int8": "perhaps"')):
        with pytest.raises(ValueError, match="QuantizeReport"):
            QuantizeReport.from_json(broken)


@pytest.mark.parametrize(
    ("count", "calibrating", "deciding"), [(1, 1, 1), (3, 3, 3), (4, 2, 2), (9, 5, 4), (100, 50, 50)]
)
def test_photos_are_split_without_overlap(count, calibrating, deciding):
    first, second = split(list(range(count)), 0.5)
    assert (len(first), len(second)) == (calibrating, deciding)
    assert (set(first) & set(second) == set()) == (count > 3)
    assert set(first) | set(second) == set(range(count))


def test_a_model_that_takes_bytes(paths):
    model = detector()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[0] == "images":
            node.input[0] = "floats"
    model.graph.node.insert(0, onnx.helper.make_node("Cast", ["images"], ["floats"], "cast", to=onnx.TensorProto.FLOAT))
    found = quantize(as_file(model), replace(SPEC, uint8=True), paths)
    assert found.report.in_float == ()
    with Session(ModelFile(found.data, "int8"), provider="cpu") as session:
        assert session.input.dtype == np.uint8


def test_the_flagship_is_quantised_whole_with_any_batch(tmp_path):
    model = build_ssd_resnet34(SsdOutputs.HEADS, size=448)
    file = ModelFile(model.SerializeToString(), "flagship")
    spec = replace(recognise(onnx_signature(model), "flagship"), random_weights=True)
    found = quantize(file, spec, photos(tmp_path, count=2))
    assert len(found.report.layers) == 51
    assert found.report.in_float == ()
    assert found.report.loss <= 0.01
    with Session(ModelFile(found.data, "int8"), provider="cpu") as session:
        loc = session.run(np.zeros((2, 3, 448, 448), np.float32))["loc"]
    assert loc.shape[:2] == (2, 4)
