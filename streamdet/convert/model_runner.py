"""A network with its description: what the two sides of a proof are, whatever runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdet.convert.comparison import CONF, IOU, MOST
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


class Network(Protocol):
    """Something that runs: ONNX Runtime's session, or OpenVINO's."""

    @property
    def input(self) -> Tensor:
        """Its only input."""

    @property
    def outputs(self) -> Sequence[Tensor]:
        """What it gives."""

    def run(self, batch: NDArray[Any]) -> Outputs:
        """Runs it."""

    def close(self) -> None:
        """Frees it."""


@dataclass(slots=True)
class ModelRunner:
    """A network with its description: from pictures to what is found in them, in pixels of the input."""

    spec: ModelSpec
    network: Network
    _decoder: Decoder = field(init=False)
    _preprocess: Preprocessor = field(init=False)

    def __post_init__(self) -> None:
        self._decoder = bind_decoder(self.spec, self.network.outputs)
        self._preprocess = Preprocessor(self.spec)

    @classmethod
    def of(cls, file: ModelFile, spec: ModelSpec) -> ModelRunner:
        """Loads a file on the CPU."""
        return cls(spec, Session(file, provider="cpu", threads=available_cpus()))  # nothing else runs beside it

    def image(self, picture: Picture) -> NDArray[Any]:
        """Returns a picture as the network wants it, without batch."""
        image = np.empty(self._preprocess.shape, self._preprocess.dtype)
        self._preprocess(picture, image)
        return image

    def run(self, *images: NDArray[Any]) -> Outputs:
        """Runs a batch, which a network of fixed batch gets filled up."""
        batch = np.stack(images)
        wanted = fixed_size(self.network.input.shape[0])
        if wanted and len(batch) < wanted:
            batch = np.concatenate([batch] * -(-wanted // len(batch)))[:wanted]
        return self.network.run(batch)

    def found(self, outputs: Outputs, index: int = 0, spec: ModelSpec | None = None) -> RawDetections:
        """Reads outputs; by another description where one is given."""
        decoder = self._decoder if spec is None else bind_decoder(spec, self.network.outputs)
        rules = PostprocessRules(CONF, IOU, np.ones(decoder.classes, np.bool_), MOST)
        return decoder.decode(outputs, index, rules)

    def close(self) -> None:
        """Frees the network."""
        self.network.close()


def convert_input_format(image: NDArray[np.uint8], of: ModelSpec, to: ModelSpec) -> NDArray[Any]:
    """Returns an input of bytes as another network wants it: layout, channel order, mean, std."""
    planes = image if of.nchw else image.transpose(2, 0, 1)
    if of.rgb != to.rgb:
        planes = planes[::-1]
    if to.uint8:
        values: NDArray[Any] = planes
    else:
        mean, std = (np.array(part, np.float32).reshape(3, 1, 1) for part in (to.mean, to.std))
        values = (planes.astype(np.float32) - mean) / std
    return np.ascontiguousarray(values if to.nchw else values.transpose(1, 2, 0))
