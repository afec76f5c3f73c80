"""Networks written and exported by other means than the package's own builder; skipped where PyTorch is absent."""

import pytest

from streamdet.convert.convert import convert
from streamdet.convert.options import ConvertOptions, InputType
from streamdet.model_spec.spec import Contract
from streamdet.models.catalog import resolve_model
from streamdet.models.find_ssd import find_ssd, to_heads
from streamdet.models.onnx_file import ModelFile, parse_onnx

from .test_convert import SAMPLES

torch_ssd = pytest.importorskip("tests.models.torch_ssd", reason="PyTorch is not installed")
SIZE = 448


def test_an_export_with_nms():
    file = ModelFile(torch_ssd.exported(torch_ssd.network(7, SIZE), SIZE), "torch.onnx")
    spec, _ = resolve_model(file)
    assert spec.contract is Contract.SSD_PUBLISHED
    for options in (ConvertOptions(), ConvertOptions(input_type=InputType.UINT8)):
        made = convert(file, spec, SAMPLES, options)
        assert made.proof.agreement.count > 100
        assert (made.proof.agreement.unexplained, made.proof.agreement.borderline) == (0, 0)
        assert made.proof.agreement.box < 1e-5
        assert not made.spec.random_weights  # it does not say so, and nobody can see it


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("classes", [4, 21])
def test_another_number_of_classes(opset, classes):
    """With four, offsets and logits have as many channels: the softmax behind them tells."""
    data = torch_ssd.exported(torch_ssd.network(1, SIZE, classes), SIZE, opset)
    network = find_ssd(parse_onnx(data, "torch"), "torch", 0)
    assert network.classes == classes
    heads = to_heads(network)
    shapes = {v.name: v.type.tensor_type.shape.dim[1].dim_value for v in heads.graph.output}
    assert shapes == {"loc": 4, "conf": classes}
    makers = {node.output[0]: node for node in parse_onnx(data, "torch").graph.node}
    names = [makers[head.loc].name for head in network.heads]
    assert all("/loc" in name for name in names), names
