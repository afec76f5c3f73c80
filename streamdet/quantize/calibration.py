"""Runs the float model on calibration images and collects statistics of its activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from streamdet.detect.preprocess import Preprocessor
from streamdet.model_spec.spec import ModelSpec
from streamdet.picture import Picture
from streamdet.quantize.graph import Graph
from streamdet.quantize.statistics import TensorStatistics
from streamdet.sources.images import read_image

MAX_PIXELS = 100_000_000
"""Largest image that is decoded, in pixels."""

Batch = NDArray[np.float32] | NDArray[np.uint8]


def load_batches(paths: Iterable[Path], spec: ModelSpec) -> Iterable[Batch]:
    """Yields each image as a batch of one, preprocessed exactly as for detection.

    Raises:
        SourceError: an image cannot be read.
    """
    preprocess = Preprocessor(spec)
    for path in paths:
        batch = np.empty((1, *preprocess.shape), preprocess.dtype)
        preprocess(Picture.from_bgr(read_image(path, MAX_PIXELS)), batch[0])
        yield batch


def calibrate(
    graph: Graph, batches: Iterable[Batch], statistics: dict[str, TensorStatistics], progress: Callable[[int], None]
) -> None:
    """Updates the statistics of every tensor that can be quantized.

    Only one image's activations are in memory at a time.

    Args:
        graph: of the float model.
        batches: preprocessed images.
        statistics: by tensor name; modified, empty at first.
        progress: called with the number of images done.
    """
    names = quantizable_tensors(graph)
    session = session_with_outputs(graph.model, [name for name in names if name in graph.producer])
    input_name = session.get_inputs()[0].name
    outputs = [output.name for output in session.get_outputs()]
    for done, batch in enumerate(batches, 1):
        values = dict(zip(outputs, session.run(None, {input_name: batch}), strict=True))
        values[input_name] = batch
        for name in names:
            statistics.setdefault(name, TensorStatistics()).add(values[name])
        progress(done)


def quantizable_tensors(graph: Graph) -> list[str]:
    """Returns the names of the activations that layers and integer-capable nodes read and write."""
    names: dict[str, None] = {}
    layers = {layer.name for layer in graph.layers}
    capable = graph.integer_capable(layers)
    for node in graph.model.graph.node:
        if node.name in layers or node.name in capable:
            names |= dict.fromkeys([*graph.activations(node), graph.output_of(node)])
    return list(names)


def session_with_outputs(model: onnx.ModelProto, extra: Sequence[str]) -> Any:
    """Returns a CPU session that also returns the tensors named `extra`."""
    from streamdet.inference.providers import available_cpus, onnxruntime_module

    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    existing = {value.name for value in extended.graph.output}
    extended.graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra if name not in existing)
    ort = onnxruntime_module()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = available_cpus()
    options.inter_op_num_threads = 1
    return ort.InferenceSession(extended.SerializeToString(), options, providers=["CPUExecutionProvider"])
