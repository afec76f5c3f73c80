"""Networks with one dummy node, for tests of signatures and files."""

import onnx
from onnx import TensorProto, helper


def model_with(inputs, outputs, dtype=TensorProto.FLOAT, metadata=None) -> onnx.ModelProto:
    """Returns a model of these input and output shapes by name; its only node is a dummy."""
    ports = [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    node = helper.make_node("Identity", [next(iter(inputs))], [next(iter(outputs))])
    model = helper.make_model(helper.make_graph([node], "net", ports, results))
    helper.set_model_props(model, metadata or {})
    return model
