"""Runs a network on images and decodes its outputs, on ONNX Runtime or OpenVINO alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdet.convert.comparison import CONF, IOU, MAX_DETECTIONS
from streamdet.detect.output_contracts import Decoder, bind_decoder
from streamdet.detect.postprocess import PostprocessRules, RawDetections
from streamdet.detect.preprocess import Preprocessor
from streamdet.inference.providers import available_cpus
from streamdet.inference.session import Session
from streamdet.model_spec.signature import Tensor, fixed_size
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile
from streamdet.picture import Picture

Outputs = Mapping[str, NDArray[Any]]


class RunnableNetwork(Protocol):
    """A loaded network: an ONNX Runtime session, or an OpenVINO model."""

    @property
    def input(self) -> Tensor:
        """Its only input."""

    @property
    def outputs(self) -> Sequence[Tensor]:
        """Its outputs."""

    def run(self, batch: NDArray[Any]) -> Outputs:
        """Runs it on a batch."""

    def close(self) -> None:
        """Releases it."""


@dataclass(slots=True)
class ModelRunner:
    """A network with its spec: from pictures to detections, in pixels of the network's input."""

    spec: ModelSpec
    network: RunnableNetwork
    _decoder: Decoder = field(init=False)
    _preprocess: Preprocessor = field(init=False)

    def __post_init__(self) -> None:
        self._decoder = bind_decoder(self.spec, self.network.outputs)
        self._preprocess = Preprocessor(self.spec)

    @classmethod
    def of(cls, file: ModelFile, spec: ModelSpec) -> ModelRunner:
        """Loads a file on the CPU, with all threads: nothing else runs at the same time."""
        return cls(spec, Session(file, provider="cpu", threads=available_cpus()))

    def preprocess(self, picture: Picture) -> NDArray[Any]:
        """Returns a picture as the network's input, without the batch axis."""
        image = np.empty(self._preprocess.shape, self._preprocess.dtype)
        self._preprocess(picture, image)
        return image

    def run(self, *images: NDArray[Any]) -> Outputs:
        """Runs a batch. For a network of fixed batch size, the images are repeated to fill it."""
        batch = np.stack(images)
        size = fixed_size(self.network.input.shape[0])
        if size and len(batch) < size:
            batch = np.concatenate([batch] * -(-size // len(batch)))[:size]
        return self.network.run(batch)

    def decode(self, outputs: Outputs, index: int = 0, spec: ModelSpec | None = None) -> RawDetections:
        """Returns the detections of one image in a batch; `spec` replaces the network's own."""
        decoder = self._decoder if spec is None else bind_decoder(spec, self.network.outputs)
        rules = PostprocessRules(CONF, IOU, np.ones(decoder.classes, np.bool_), MAX_DETECTIONS)
        return decoder.decode(outputs, index, rules)

    def close(self) -> None:
        """Releases the network."""
        self.network.close()


def convert_input_format(image: NDArray[np.uint8], source: ModelSpec, target: ModelSpec) -> NDArray[Any]:
    """Converts a uint8 input of one network for another: axis order, channel order, mean and std."""
    planes = image if source.nchw else image.transpose(2, 0, 1)
    if source.rgb != target.rgb:
        planes = planes[::-1]
    if target.uint8:
        values: NDArray[Any] = planes
    else:
        mean, std = (np.array(part, np.float32).reshape(3, 1, 1) for part in (target.mean, target.std))
        values = (planes.astype(np.float32) - mean) / std
    return np.ascontiguousarray(values if target.nchw else values.transpose(1, 2, 0))
