"""Runs the float model on pictures, one at a time, and remembers statistics of what flows between its nodes."""

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
from streamdet.quantize.statistics import Statistics
from streamdet.sources.images import read_image

MAX_PIXELS = 100_000_000
"""Largest photo that is decoded."""

Batch = NDArray[np.float32] | NDArray[np.uint8]


def inputs_of(paths: Iterable[Path], spec: ModelSpec) -> Iterable[Batch]:
    """Yields each photo as a batch of one, exactly as detection would feed it.

    Raises:
        SourceError: a photo cannot be read.
    """
    preprocess = Preprocessor(spec)
    for path in paths:
        batch = np.empty((1, *preprocess.shape), preprocess.dtype)
        preprocess(Picture.from_bgr(read_image(path, MAX_PIXELS)), batch[0])
        yield batch


def calibrate(
    graph: Graph, batches: Iterable[Batch], seen: dict[str, Statistics], progress: Callable[[int], None]
) -> None:
    """Adds to the statistics of every tensor that a quantised form of the graph could put on a grid.

    One picture's activations are in memory at a time.

    Args:
        graph: of the float model.
        batches: pictures.
        seen: is added to, empty at first.
        progress: told how many pictures are done.
    """
    names = tensors_between(graph)
    session = session_with(graph.model, [name for name in names if name in graph.producer])
    feed = session.get_inputs()[0].name
    outputs = [output.name for output in session.get_outputs()]
    for done, batch in enumerate(batches, 1):
        values = dict(zip(outputs, session.run(None, {feed: batch}), strict=True))
        values[feed] = batch
        for name in names:
            seen.setdefault(name, Statistics()).add(values[name])
        progress(done)


def tensors_between(graph: Graph) -> list[str]:
    """Returns what layers and the nodes that may pass integers on read and write."""
    names: dict[str, None] = {}
    layers = {layer.name for layer in graph.layers}
    able = graph.able(layers)
    for node in graph.model.graph.node:
        if node.name in layers or node.name in able:
            names |= dict.fromkeys([*graph.activations(node), graph.output_of(node)])
    return list(names)


def session_with(model: onnx.ModelProto, extra: Sequence[str]) -> Any:
    """Returns a session on the CPU that also gives the tensors named `extra`."""
    from streamdet.inference.providers import available_cpus, onnxruntime_module

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    there = {value.name for value in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra if name not in there)
    ort = onnxruntime_module()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = available_cpus()
    options.inter_op_num_threads = 1
    return ort.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
