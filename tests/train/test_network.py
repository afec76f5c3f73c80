"""PyTorch and ONNX build the same network from one description."""

import numpy as np
import onnx
import onnxruntime
import pytest

from streamdet.models.ssd_small import SmallSsdConfig, build_small, stored_weights
from tests.models.small import random_weights

torch = pytest.importorskip("torch", reason="training needs PyTorch")
from streamdet.train.network import SmallSsd  # noqa: E402

CONFIGS = [SmallSsdConfig(("a", "b"), 96, 64), SmallSsdConfig(("a", "b", "c"), 64, 128)]


def onnx_outputs(model, image):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["loc", "conf"], {"image": image})


@pytest.mark.parametrize("config", CONFIGS, ids=["2 classes", "3 classes"])
@pytest.mark.parametrize("weights", ["fresh", "random"])
def test_pytorch_and_onnx_outputs_are_equal(config, weights):
    network = SmallSsd(config, 3).eval()
    if weights == "random":  # with non-trivial normalizations and biases
        assert network.load(random_weights(config, 4)) == []
    image = np.random.default_rng(5).normal(0, 1, (2, 3, config.height, config.width)).astype(np.float32)
    with torch.no_grad():
        ours = [tensor.numpy() for tensor in network(torch.from_numpy(image))]
    theirs = onnx_outputs(build_small(config, network.weights()), image)
    count = sum(grid.count for grid in config.grids)
    for mine, other, rows in zip(ours, theirs, (4, 1 + len(config.labels)), strict=True):
        assert mine.shape == other.shape == (2, rows, count)
        scale = np.abs(other).max()
        assert other.std() > 1e-4
        np.testing.assert_allclose(mine, other, atol=2e-4 * max(scale, 1))


def test_weights_survive_a_round_trip_exactly():
    config = CONFIGS[0]
    first, second = SmallSsd(config, 1), SmallSsd(config, 2)
    assert first.load(random_weights(config, 9)) == []
    data = build_small(config, first.weights()).SerializeToString()
    assert second.load(stored_weights(onnx.load_model_from_string(data))) == []
    once, again = first.weights(), second.weights()
    assert once.keys() == again.keys() == random_weights(config).keys()
    for name, values in once.items():
        np.testing.assert_array_equal(values, again[name])
    state = {name: tensor for name, tensor in first.state_dict().items() if "num_batches" not in name}
    for name, tensor in state.items():  # no statistics were lost
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_weights_are_copies():
    network = SmallSsd(CONFIGS[0])
    taken = network.weights()
    taken["stem0.weight"][:] = 7
    assert not (network.weights()["stem0.weight"] == 7).any()


def test_initial_weights_depend_on_the_seed():
    one, same, other = (SmallSsd(CONFIGS[0], seed).weights() for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["stem0.weight"], other["stem0.weight"])


def test_other_classes_keep_the_backbone_and_get_new_heads():
    weights = random_weights(CONFIGS[0])
    network = SmallSsd(SmallSsdConfig(("x", "y", "z"), 96, 64), 5)
    before = network.weights()
    unmatched = network.load(weights)
    assert sorted(unmatched) == sorted(f"conf{i}.{part}" for i in range(4) for part in ("weight", "bias"))
    after = network.weights()
    for name in after:
        np.testing.assert_array_equal(after[name], before[name] if name in unmatched else weights[name])


def test_without_start_weights_all_are_random():
    network = SmallSsd(CONFIGS[0])
    assert set(network.load({})) == set(network.weights())


@pytest.mark.parametrize("labels", [("a",), ("a", "b", "c")])
def test_an_untrained_network_predicts_background(labels):
    network = SmallSsd(SmallSsdConfig(labels, 96, 64)).eval()
    with torch.no_grad():
        _, conf = network(torch.zeros(1, 3, 64, 96))
    shares = conf.softmax(dim=1)[0].numpy()
    np.testing.assert_allclose(shares[0], 0.99, rtol=1e-5)
    np.testing.assert_allclose(shares[1:], 0.01 / len(labels), rtol=1e-4)
