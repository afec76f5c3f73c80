"""The quantiser's parts: ranges, statistics, weights, rewritten graphs, agreement, the search."""

import tracemalloc

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from streamdet.detect.postprocess import RawDetections
from streamdet.models.onnx_file import ModelFile
from streamdet.quantize import early_transpose, focus, silu, upsample
from streamdet.quantize.agreement import agreement, agreement_with_uncertainty, weighted_dice
from streamdet.quantize.concat_scales import share_concat_scales
from streamdet.quantize.cost_model import layers_faster_in_float
from streamdet.quantize.graph import Graph, Layer, integer_nodes_between
from streamdet.quantize.layer_search import fewest_float_layers, rank_by_sensitivity
from streamdet.quantize.options import CalibrationMethod, QuantizeOptions
from streamdet.quantize.prepare import prepare
from streamdet.quantize.scale_zero_point import choose_scale, identity, scale_for_range
from streamdet.quantize.scale_zero_point import silu as silu_of
from streamdet.quantize.statistics import BINS, TensorStatistics
from streamdet.quantize.weights import quantize_weights


def seen(values):
    statistics = TensorStatistics()
    statistics.add(np.asarray(values, np.float32).reshape(1, 1, -1))
    return statistics


def found(*rows):
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    return RawDetections(boxes, np.array([r[4] for r in rows], np.float32), np.array([r[5] for r in rows], np.int32))


def run(model, feed):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feed)


class TestStatistics:
    def test_counts_every_value_wherever_it_falls(self):
        statistics = TensorStatistics()
        for largest in (0.1, 50.0, 3.0, 1000.0):
            statistics.add(np.linspace(-largest / 2, largest, 1000, dtype=np.float32).reshape(1, 1, 1000))
        assert (statistics.lowest, statistics.highest, statistics.images) == (-500, 1000, 4)
        assert statistics.counts.sum() == 4000
        assert statistics.centres[-1] >= 1000 - statistics.width
        above = statistics.counts[statistics.centres > 50 + statistics.width].sum()
        assert above == pytest.approx(1000 * 950 / 1500, abs=2)

    def test_knows_the_mean_of_each_channel(self):
        statistics = TensorStatistics()
        for value in (1, 3):
            statistics.add(np.full((1, 2, 4, 4), value, np.float32) * np.array([1, 10], np.float32).reshape(1, 2, 1, 1))
        np.testing.assert_allclose(statistics.channel_means, [2, 20])

    def test_all_zeros(self):
        assert choose_scale(seen(np.zeros(10)), CalibrationMethod.MSE).scale > 0

    def test_memory_does_not_grow_with_pictures(self):
        statistics, values = TensorStatistics(), np.ones((1, 4, 100, 100), np.float32)
        statistics.add(values)
        tracemalloc.start()
        try:
            for scale in range(1, 30):
                statistics.add(scale * values)
            left, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert left < values.nbytes + 8 * BINS


class TestGrids:
    @given(st.floats(-1000, 1000), st.floats(-1000, 1000))
    def test_hold_their_range_and_zero_exactly(self, first, second):
        low, high = sorted((first, second))
        grid = scale_for_range(low, high)
        assert 0 <= grid.zero_point <= 255
        assert grid.fake_quantize(np.zeros(1))[0] == 0
        ends = np.array([low, high])
        assert np.abs(grid.fake_quantize(ends) - ends).max() <= grid.scale or low * high > 0

    def test_outliers_stretch_minmax_only(self):
        values = np.append(np.random.default_rng(0).standard_normal(400_000), [400.0])
        scales = {method: choose_scale(seen(values), method).scale for method in CalibrationMethod}
        assert scales[CalibrationMethod.MINMAX] > 1.5
        assert scales[CalibrationMethod.PERCENTILE] < 0.1

    def test_steps_are_not_spent_where_a_silu_hides_them(self):
        values = np.random.default_rng(0).uniform(-40, 10, 100_000)
        plain = choose_scale(seen(values), CalibrationMethod.MSE, reader=identity)
        behind = choose_scale(seen(values), CalibrationMethod.MSE, reader=silu_of)
        assert behind.scale < 0.5 * plain.scale
        error = [np.mean((silu_of(grid.fake_quantize(values)) - silu_of(values)) ** 2) for grid in (behind, plain)]
        assert error[0] < 0.5 * error[1]


class TestWeights:
    def graph(self, weights, bias=None, **attributes):
        inputs = ["x", "w", "b"] if bias is not None else ["x", "w"]
        node = helper.make_node("Conv", inputs, ["y"], "conv", **attributes)
        channels = weights.shape[1] * attributes.get("group", 1)
        constants = [numpy_helper.from_array(weights.astype(np.float32), "w")]
        constants += [] if bias is None else [numpy_helper.from_array(bias.astype(np.float32), "b")]
        ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 8])]
        out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        return Graph.of(helper.make_model(helper.make_graph([node], "net", ports, out, constants))), node

    @pytest.mark.parametrize("group", [1, 4])
    def test_the_mean_is_kept(self, group):
        random = np.random.default_rng(0)
        graph, node = self.graph(random.standard_normal((4, 4 // group, 1, 1)), group=group)
        x = random.uniform(0, 9, (1, 4, 50)).astype(np.float32)
        statistics = TensorStatistics()
        statistics.add(x)
        result = quantize_weights(graph, node, statistics, QuantizeOptions(per_channel=False))
        weights, rounded = graph.constant("w")[..., 0, 0], result.values[..., 0, 0] * result.scales
        if group > 1:
            weights, rounded = np.diag(weights[:, 0]), np.diag(rounded[:, 0])
        wanted, got = (weights @ x[0]).mean(axis=1), (rounded @ x[0]).mean(axis=1)
        np.testing.assert_allclose(got + result.bias, wanted, atol=1e-5)
        assert np.abs(got - wanted).max() > 1e-3  # there was something to correct

    def test_a_channel_of_zeros(self):
        graph, node = self.graph(np.zeros((2, 3, 3, 3)), np.ones(2))
        result = quantize_weights(graph, node, seen(np.ones(3)), QuantizeOptions(bias_correction=False))
        assert (result.values == 0).all()
        np.testing.assert_array_equal(result.bias, 1)
        np.testing.assert_array_equal(result.scales, 1)


class TestRewriting:
    def sliced(self, offsets, size=8):
        """Returns a model that cuts its input as YOLO's focus does and convolves it."""
        random = np.random.default_rng(1)
        constants = {
            "zero": [0], "one": [1], "end": [(1 << 63) - 1], "rows": [2], "columns": [3], "two": [2],
        }  # fmt: skip
        weights = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()]
        weights.append(numpy_helper.from_array(random.standard_normal((5, 12, 3, 3)).astype(np.float32), "w"))
        nodes = []
        for i, (row, column) in enumerate(offsets):
            nodes.append(helper.make_node("Slice", ["x", ("zero", "one")[row], "end", "rows", "two"], [f"r{i}"]))
            nodes.append(
                helper.make_node("Slice", [f"r{i}", ("zero", "one")[column], "end", "columns", "two"], [f"p{i}"])
            )
        nodes.append(helper.make_node("Concat", [f"p{i}" for i in range(4)], ["cut"], axis=1))
        nodes.append(helper.make_node("Conv", ["cut", "w"], ["y"], "stem", pads=[1, 1, 1, 1]))
        ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])]
        out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        graph = helper.make_graph(nodes, "focus", ports, out, weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)

    def test_a_focus_becomes_one_convolution(self):
        model = self.sliced([(0, 0), (1, 0), (0, 1), (1, 1)])
        x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
        wanted = run(model, {"x": x})[0]
        focus.fuse(model)
        assert [node.op_type for node in model.graph.node] == ["Conv"]
        np.testing.assert_allclose(run(model, {"x": x})[0], wanted, atol=1e-5)

    @pytest.mark.parametrize(
        ("offsets", "size"),
        [([(0, 0), (0, 0), (0, 1), (1, 1)], 8), ([(0, 0), (1, 0), (0, 1), (1, 1)], 7)],
        ids=["a part twice", "an odd size"],
    )
    def test_other_cuts_are_left_alone(self, offsets, size):
        model = self.sliced(offsets, size)
        before = model.SerializeToString()
        focus.fuse(model)
        assert model.SerializeToString() == before

    def test_silu_is_fused_and_split_again(self):
        nodes = [
            helper.make_node("Sigmoid", ["x"], ["gate"], "sigmoid"),
            helper.make_node("Mul", ["gate", "x"], ["y"], "mul"),
        ]
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in "xy"]
        model = helper.make_model(
            helper.make_graph(nodes, "net", ports[:1], ports[1:]),
            opset_imports=[helper.make_opsetid("", 13)],
            ir_version=8,
        )
        x = np.random.default_rng(0).standard_normal((1, 3, 4, 4)).astype(np.float32)
        wanted = run(model, {"x": x})[0]
        silu.fuse(model)
        assert [node.op_type for node in model.graph.node] == ["QuickGelu"]
        np.testing.assert_allclose(run(model, {"x": x})[0], wanted, atol=1e-6)
        silu.split(model)
        assert [(node.op_type, node.domain) for node in model.graph.node] == [("Sigmoid", ""), ("Mul", "")]
        assert [entry.domain for entry in model.opset_import] == [""]
        np.testing.assert_allclose(run(model, {"x": x})[0], wanted, atol=1e-6)

    @pytest.mark.parametrize("read_twice", [False, True])
    def test_levels_become_rows_one_by_one(self, read_twice):
        nodes = [
            helper.make_node("Reshape", ["x", "flat"], ["a"], "a"),
            helper.make_node("MaxPool", ["x"], ["half"], "half", kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Reshape", ["half", "flat"], ["b"], "b"),
            helper.make_node("Concat", ["a", "b"], ["joined"], "joined", axis=2),
            helper.make_node("Transpose", ["joined"], ["y"], "transpose", perm=[0, 2, 1]),
            helper.make_node("Relu", ["joined" if read_twice else "x"], ["z"], "other"),
        ]
        ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 6])]
        out = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "yz"]
        flat = [numpy_helper.from_array(np.array([0, 3, -1], np.int64), "flat")]
        net = helper.make_graph(nodes, "net", ports, out, flat)
        model = helper.make_model(net, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        before = model.SerializeToString()
        x = np.random.default_rng(0).standard_normal((2, 3, 4, 6)).astype(np.float32)
        wanted = run(model, {"x": x})[0]
        early_transpose.move_transpose_before_concat(model)
        assert (model.SerializeToString() == before) == read_twice
        np.testing.assert_array_equal(run(model, {"x": x})[0], wanted)

    @pytest.mark.parametrize(
        ("way", "scales", "repeated"),
        [
            ({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, (2, 2), True),
            ({}, (2, 2), True),
            ({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"}, (2, 2), False),
            ({"mode": "linear"}, (2, 2), False),
            ({}, (2, 1), False),
            ({}, (3, 3), False),
        ],
        ids=["corners", "centres", "to the right", "blended", "rows only", "three times"],
    )
    def test_pixels_are_repeated_as_a_resize_does(self, way, scales, repeated):
        resize = helper.make_node("Resize", ["x", "", "scales"], ["y"], **way)
        after = (1, 2, 3 * scales[0], 5 * scales[1])
        assert upsample.is_upsample_2x(resize, {"x": (1, 2, 3, 5), "y": after}) == repeated
        if repeated:
            nodes, constants = upsample.upsample_2x_nodes("x", "z", (1, 2, 3, 5))
            constants.append(numpy_helper.from_array(np.array([1, 1, *scales], np.float32), "scales"))
            ports = [helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", 2, None, None]) for name in "xyz"]
            net = helper.make_graph([resize, *nodes], "net", ports[:1], ports[1:], constants)
            model = helper.make_model(net, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
            x = np.random.default_rng(0).integers(0, 256, (4, 2, 3, 5), np.uint8)
            np.testing.assert_array_equal(*run(model, {"x": x}))

    def test_batch_normalisation_is_folded_and_metadata_kept(self):
        from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34

        model = build_ssd_resnet34(SsdOutputs.HEADS, size=448)
        ready = prepare(ModelFile(model.SerializeToString(), "flagship"))
        operators = {node.op_type for node in ready.graph.node}
        assert "BatchNormalization" not in operators
        assert {entry.key: entry.value for entry in ready.metadata_props}["streamdet.random_weights"] == "1"
        graph = Graph.of(ready)
        assert len(graph.layers) == 51
        assert all(layer.macs for layer in graph.layers)
        heads = [layer for layer in graph.layers if graph.consumers[layer.output][0].op_type == "Reshape"]
        assert len(heads) == 12


class TestAgreement:
    ONE, OTHER = (0, 0, 10, 10, 0.9, 0), (20, 20, 40, 40, 0.6, 1)

    def test_is_one_for_the_same_and_for_nothing(self):
        same = [found(self.ONE, self.OTHER), found()]
        assert agreement(same, same) == 1
        assert weighted_dice(same, same) == pytest.approx(1)
        assert agreement([found()], [found()]) == weighted_dice([found()], [found()]) == 1

    @pytest.mark.parametrize(
        ("name", "got", "wanted"),
        [
            ("nothing", [], 0),
            ("the strong one only", [ONE], 0.81 / (0.81 + 0.36)),
            ("another class", [ONE, (20, 20, 40, 40, 0.6, 2)], 0.81 / (0.81 + 0.36)),
            ("elsewhere", [ONE, (50, 50, 60, 60, 0.6, 1)], 0.81 / (0.81 + 0.36)),
            ("weaker, in the same order", [(0, 0, 10, 10, 0.5, 0), (20, 20, 40, 40, 0.3, 1)], 1),
            ("a false one behind", [ONE, OTHER, (70, 70, 90, 90, 0.5, 0)], 1),
            ("seen twice", [ONE, ONE, OTHER], (0.81 + 0.36 * (0.81 + 0.36) / (2 * 0.81 + 0.36)) / (0.81 + 0.36)),
        ],
    )
    def test_by_hand(self, name, got, wanted):
        assert agreement([found(self.ONE, self.OTHER)], [found(*got)]) == pytest.approx(wanted, abs=1e-6)

    def test_closeness_feels_what_agreement_forgives(self):
        wanted = [found(self.ONE)]
        moved = [found((0.5, 0, 10.5, 10, 0.85, 0))]
        assert agreement(wanted, moved) == 1
        assert weighted_dice(wanted, moved) == pytest.approx(2 * 0.85 * (95 / 105) / 1.75, abs=1e-5)

    def test_uncertainty_is_how_pictures_differ(self):
        good, bad = (found(self.ONE), found(self.ONE)), (found(self.ONE), found())
        assert agreement_with_uncertainty(*zip(good, good, good, strict=True)).uncertainty == 0
        mixed = agreement_with_uncertainty(*zip(*[good, bad] * 8, strict=True))
        assert mixed.value == pytest.approx(0.5)
        assert mixed.uncertainty == pytest.approx(0.5 / np.sqrt(15), rel=1e-3)


class TestSearch:
    @given(st.integers(1, 300).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count))))
    def test_finds_the_fewest_in_few_tries(self, case):
        count, needed = case
        tried = []
        assert fewest_float_layers(count, lambda n: tried.append(n) or n >= needed) == needed
        assert count not in tried
        assert len(tried) <= 2 * np.log2(count) + 3

    def test_small_layers_go_first_where_they_hurt_alike(self):
        layers = [Layer(name, "Conv", "x", "y", macs) for name, macs in [("big", 1000), ("small", 10), ("calm", 10)]]
        assert rank_by_sensitivity(layers, {"big": 0.1, "small": 0.1, "calm": 0.001}) == ["small", "big", "calm"]


class TestWhatIsWorthIt:
    def chain(self, *layers, join=False):
        """Returns the graph of convolutions (channels, kernel, groups), each with a SiLU, on a picture of 64 x 64.

        Args:
            layers: from the first to the last.
            join: the last reads the first two, joined.
        """
        nodes, constants, x, inputs = [], [], "x", 3
        for i, (channels, kernel, groups) in enumerate(layers):
            if join and i == len(layers) - 1:
                nodes.append(helper.make_node("Concat", ["s0", "s1"], ["joined"], "join", axis=1))
                x, inputs = "joined", layers[0][0] + layers[1][0]
            weights = np.zeros((channels, inputs // groups, kernel, kernel), np.float32)
            constants.append(numpy_helper.from_array(weights, f"w{i}"))
            around = {"pads": [kernel // 2] * 4, "group": groups}
            nodes.append(helper.make_node("Conv", [x, f"w{i}"], [f"y{i}"], f"conv{i}", **around))
            nodes.append(helper.make_node("Sigmoid", [f"y{i}"], [f"g{i}"], f"gate{i}"))
            nodes.append(helper.make_node("Mul", [f"y{i}", f"g{i}"], [f"s{i}"], f"silu{i}"))
            x, inputs = f"s{i}", channels
        ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])]
        out = [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)]
        opsets = [helper.make_opsetid("", 13)]
        net = helper.make_graph(nodes, "net", ports, out, constants)
        return Graph.of(
            prepare(ModelFile(helper.make_model(net, opset_imports=opsets, ir_version=8).SerializeToString(), "net"))
        )

    def test_few_channels_at_the_start_are_not(self):
        graph = self.chain((16, 3, 1), (16, 1, 1), (16, 3, 16), (512, 1, 1), (512, 1, 1), (512, 3, 512), (512, 1, 1))
        assert layers_faster_in_float(graph) == ["conv0", "conv1", "conv2", "conv3"]

    def test_many_channels_are_all_worth_it(self):
        assert layers_faster_in_float(self.chain((256, 5, 1), (256, 1, 1), (256, 3, 1))) == []

    def test_nothing_may_be(self):
        assert len(layers_faster_in_float(self.chain((8, 1, 1), (8, 3, 8)))) == 2

    def test_a_part_in_float_does_not_keep_a_concat_from_integers(self):
        graph = self.chain((8, 1, 1), (8, 1, 1), (8, 1, 1), join=True)
        assert "join" in integer_nodes_between(graph, ["conv1", "conv2"])
        assert "join" not in integer_nodes_between(graph, ["conv2"])

    def test_what_is_joined_shares_a_grid(self):
        graph = self.chain((8, 1, 1), (8, 1, 1), (8, 1, 1), join=True)
        grids = {
            "s0": scale_for_range(-1, 2),
            "s1": scale_for_range(-2, 1),
            "joined": scale_for_range(-2, 2),
            "y0": scale_for_range(-9, 9),
        }
        shared = share_concat_scales(graph, grids)
        assert shared["s0"] == shared["s1"] == shared["joined"]
        assert shared["s0"].scale == pytest.approx(4 / 255, rel=0.01)
        assert shared["y0"] == grids["y0"]
        grids["s0"] = scale_for_range(0, 0.1)  # whose values would all but vanish on it
        assert share_concat_scales(graph, grids) == grids
