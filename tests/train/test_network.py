"""One description, two readers: PyTorch and ONNX must run the same network."""

import numpy as np
import onnx
import onnxruntime
import pytest

from streamdet.models.ssd_small import SmallSsdConfig, build_small, stored_weights
from tests.models.small import random_weights

torch = pytest.importorskip("torch", reason="training needs PyTorch")
from streamdet.train.network import SmallSsd  # noqa: E402

PLANS = [SmallSsdConfig(("a", "b"), 96, 64), SmallSsdConfig(("a", "b", "c"), 64, 128)]


def onnx_outputs(model, image):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["loc", "conf"], {"image": image})


@pytest.mark.parametrize("plan", PLANS, ids=["2 classes", "3 classes"])
@pytest.mark.parametrize("weights", ["fresh", "random"])
def test_pytorch_and_onnx_give_the_same(plan, weights):
    network = SmallSsd(plan, 3).eval()
    if weights == "random":  # normalisations with all their parts, biases everywhere
        assert network.load(random_weights(plan, 4)) == []
    image = np.random.default_rng(5).normal(0, 1, (2, 3, plan.height, plan.width)).astype(np.float32)
    with torch.no_grad():
        ours = [tensor.numpy() for tensor in network(torch.from_numpy(image))]
    theirs = onnx_outputs(build_small(plan, network.weights()), image)
    count = sum(grid.count for grid in plan.grids)
    for mine, other, rows in zip(ours, theirs, (4, 1 + len(plan.labels)), strict=True):
        assert mine.shape == other.shape == (2, rows, count)
        scale = np.abs(other).max()
        assert other.std() > 1e-4
        np.testing.assert_allclose(mine, other, atol=2e-4 * max(scale, 1))


def test_weights_there_and_back_are_exact():
    plan = PLANS[0]
    first, second = SmallSsd(plan, 1), SmallSsd(plan, 2)
    assert first.load(random_weights(plan, 9)) == []
    data = build_small(plan, first.weights()).SerializeToString()
    assert second.load(stored_weights(onnx.load_model_from_string(data))) == []
    once, again = first.weights(), second.weights()
    assert once.keys() == again.keys() == random_weights(plan).keys()
    for name, values in once.items():
        np.testing.assert_array_equal(values, again[name])
    state = {name: tensor for name, tensor in first.state_dict().items() if "num_batches" not in name}
    for name, tensor in state.items():  # nothing that runs was left behind
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_weights_are_copies():
    network = SmallSsd(PLANS[0])
    taken = network.weights()
    taken["stem0.weight"][:] = 7
    assert not (network.weights()["stem0.weight"] == 7).any()


def test_the_seed_decides():
    one, same, other = (SmallSsd(PLANS[0], seed).weights() for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["stem0.weight"], other["stem0.weight"])


def test_other_classes_keep_the_body_and_draw_new_heads():
    weights = random_weights(PLANS[0])
    network = SmallSsd(SmallSsdConfig(("x", "y", "z"), 96, 64), 5)
    before = network.weights()
    left = network.load(weights)
    assert sorted(left) == sorted(f"conf{i}.{part}" for i in range(4) for part in ("weight", "bias"))
    after = network.weights()
    for name in after:
        np.testing.assert_array_equal(after[name], before[name] if name in left else weights[name])


def test_without_anything_to_start_from_all_is_drawn():
    network = SmallSsd(PLANS[0])
    assert set(network.load({})) == set(network.weights())


@pytest.mark.parametrize("labels", [("a",), ("a", "b", "c")])
def test_an_untrained_network_says_background(labels):
    network = SmallSsd(SmallSsdConfig(labels, 96, 64)).eval()
    with torch.no_grad():
        _, conf = network(torch.zeros(1, 3, 64, 96))
    shares = conf.softmax(dim=1)[0].numpy()
    np.testing.assert_allclose(shares[0], 0.99, rtol=1e-5)
    np.testing.assert_allclose(shares[1:], 0.01 / len(labels), rtol=1e-4)
