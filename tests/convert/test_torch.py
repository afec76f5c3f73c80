"""Networks exported by PyTorch instead of the package's own builder; skipped if PyTorch is not installed."""

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
        result = convert(file, spec, SAMPLES, options)
        assert result.verification.comparison.count > 100
        assert (result.verification.comparison.unexplained, result.verification.comparison.borderline) == (0, 0)
        assert result.verification.comparison.max_box_difference < 1e-5
        assert not result.spec.random_weights  # the file has no metadata that says so


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("classes", [4, 21])
def test_another_number_of_classes(opset, classes):
    """With four classes, offsets and logits have the same number of channels: the softmax after the logits decides."""
    data = torch_ssd.exported(torch_ssd.network(1, SIZE, classes), SIZE, opset)
    network = find_ssd(parse_onnx(data, "torch"), "torch", 0)
    assert network.classes == classes
    heads = to_heads(network)
    shapes = {v.name: v.type.tensor_type.shape.dim[1].dim_value for v in heads.graph.output}
    assert shapes == {"loc": 4, "conf": classes}
    producers = {node.output[0]: node for node in parse_onnx(data, "torch").graph.node}
    names = [producers[head.loc].name for head in network.heads]
    assert all("/loc" in name for name in names), names
