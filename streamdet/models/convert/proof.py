"""The proof of a conversion: source and result run on the same pictures, and must find the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdet.detect.outputs import Decoder, bind
from streamdet.detect.postprocess import Found, Rules
from streamdet.detect.preprocess import Preprocessor
from streamdet.detect.providers import available_cpus
from streamdet.detect.session import Session
from streamdet.errors import ModelError
from streamdet.models.convert.agreement import CONF, IOU, MOST, Agreement, Tolerance, compare
from streamdet.models.load import ModelFile
from streamdet.models.signature import Tensor, fixed
from streamdet.models.spec import Contract, ModelSpec
from streamdet.picture import Picture

FLOAT = Tolerance(1e-4, 1e-4, 1.0)
"""Between float32 networks: only the order of some arithmetic differs."""
HALF = Tolerance(0.01, 0.02, 0.95)
"""For FP16 against FP32."""
ROUNDED = Tolerance(0.01, 0.02, 0.9)
"""For pixels rounded to bytes after resizing against unrounded ones."""
COARSE = Tolerance(0.05, 0.1, 0.0)
"""For INT8: told, not judged. The quantiser judges by accuracy."""

Outputs = Mapping[str, NDArray[Any]]
_ORDERS = (("xyxy", True), ("yxyx", True), ("xyxy", False), ("yxyx", False))


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with a name for messages."""

    name: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared, and how far apart it was.

    Attributes:
        samples: names of the pictures.
        strict: tolerance that was kept.
        agreement: over all pictures.
        notes: what else was found.
    """

    samples: tuple[str, ...]
    strict: Tolerance
    agreement: Agreement
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns it for the file's metadata."""
        a = self.agreement
        return {
            "pictures": len(self.samples),
            "detections": a.count,
            "matched": a.matched,
            "borderline": a.borderline,
            "greatest_box_difference": round(a.box, 9),
            "greatest_score_difference": round(a.score, 9),
            "tolerance": str(self.strict),
            "notes": list(self.notes),
        }


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
class Runner:
    """A network with its description: from pictures to what is found in them, in pixels of the input."""

    spec: ModelSpec
    network: Network
    _decoder: Decoder = field(init=False)
    _preprocess: Preprocessor = field(init=False)

    def __post_init__(self) -> None:
        self._decoder = bind(self.spec, self.network.outputs)
        self._preprocess = Preprocessor(self.spec)

    @classmethod
    def of(cls, file: ModelFile, spec: ModelSpec) -> Runner:
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
        wanted = fixed(self.network.input.shape[0])
        if wanted and len(batch) < wanted:
            batch = np.concatenate([batch] * -(-wanted // len(batch)))[:wanted]
        return self.network.run(batch)

    def found(self, outputs: Outputs, index: int = 0, spec: ModelSpec | None = None) -> Found:
        """Reads outputs; by another description where one is given."""
        decoder = self._decoder if spec is None else bind(spec, self.network.outputs)
        rules = Rules(CONF, IOU, np.ones(decoder.classes, np.bool_), MOST)
        return decoder.decode(outputs, index, rules)


def refed(image: NDArray[np.uint8], of: ModelSpec, to: ModelSpec) -> NDArray[Any]:
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


def prove(
    source: Runner,
    result: Runner,
    samples: Sequence[Sample],
    strict: Tolerance,
    progress: Callable[[str], None] = lambda _: None,
) -> Proof:
    """Runs both on the same pictures and compares what they find.

    Where one of the two takes bytes, both get the same bytes: the network is compared, not the rounding of resized
    pixels, which is measured apart and told.

    Raises:
        ModelError: they differ by more than `strict`; the message names picture and detection.
    """
    in_bytes = result.spec if result.spec.uint8 else source.spec if source.spec.uint8 else None
    bytes_of = None if in_bytes is None else Preprocessor(in_bytes)
    total, rounding = Agreement(), Agreement()
    orders: dict[tuple[str, bool], Agreement] = {}
    images: list[NDArray[Any]] = []
    for number, sample in enumerate(samples):
        progress(f"proof: {sample.name} ({number + 1} of {len(samples)})")
        ours, theirs = result.image(sample.picture), source.image(sample.picture)
        if in_bytes is not None and bytes_of is not None:
            same = np.empty(bytes_of.shape, np.uint8)
            bytes_of(sample.picture, same)
            fair = (refed(same, in_bytes, source.spec), refed(same, in_bytes, result.spec))
        else:
            fair = theirs, ours
        reference = source.run(fair[0])
        images.append(fair[1])
        found = result.found(result.run(fair[1]))
        total, orders = _judged(source, reference, found, sample.name, strict, total, orders)
        if in_bytes is not None and number < _ROUNDED_SAMPLES and strict.share == 1 and not source.spec.uint8:
            plain = source.found(source.run(theirs))
            rounding += compare(plain, found, source.spec.width, ROUNDED)
    best = _settled(source.spec, total, orders, strict)
    if total.count == 0 and (best is None or orders[best].count == 0):
        raise ModelError("the source finds nothing in these pictures, so nothing is proven: give photos with --images")
    notes = []
    if best is not None:
        total = orders[best]
        notes.append(f"the source gives its boxes as {_order_text(best)}, which is not what was assumed")
    if rounding.count:
        text = f"rounding pixels to bytes: {100 * rounding.share:.1f} % of the detections stay, scores within "
        notes.append(f"{text}{rounding.score:.4f}")
        if not rounding.within(ROUNDED):
            raise ModelError(f"taking bytes changes too much: {notes[-1]}; asked for {ROUNDED}")
    notes += _batches(result, images)
    return Proof(tuple(sample.name for sample in samples), strict, total, tuple(notes))


_ROUNDED_SAMPLES = 4


def _judged(
    source: Runner,
    reference: Outputs,
    found: Found,
    name: str,
    strict: Tolerance,
    total: Agreement,
    orders: dict[tuple[str, bool], Agreement],
) -> tuple[Agreement, dict[tuple[str, bool], Agreement]]:
    """Adds one picture to what is known; raises where nothing can make it fit."""
    side = source.spec.width
    agreement = compare(source.found(reference), found, side, strict)
    agreement = replace(agreement, first=agreement.first and f"{name}: {agreement.first}")
    total = total + agreement
    if source.spec.contract is Contract.SSD_PUBLISHED:  # which corner comes first is told by the file, not by its pages
        orders = {
            order: orders.get(order, Agreement())
            + compare(
                source.found(reference, spec=replace(source.spec, box_order=order[0], box_normalized=order[1])),
                found,
                side,
                strict,
            )
            for order in _ORDERS
        }
    if strict.share == 1 and not agreement.within(strict) and not any(a.within(strict) for a in orders.values()):
        raise ModelError(f"the result differs from its source, so it is not written: {agreement.first or name}")
    return total, orders


def _settled(
    spec: ModelSpec, total: Agreement, orders: Mapping[tuple[str, bool], Agreement], strict: Tolerance
) -> tuple[str, bool] | None:
    """Returns the order of the source's boxes where it is another than the spec says.

    Raises:
        ModelError: no order fits.
    """
    if total.within(strict) and (total.count or not orders):
        return None
    fitting = [order for order, agreement in orders.items() if agreement.within(strict) and agreement.count]
    if fitting:
        return fitting[0]
    if total.within(strict):
        return None
    text = f"{100 * total.share:.1f} % of {total.count} detections agree, asked for {strict}"
    raise ModelError(f"the result differs from its source, so it is not written: {text}; {total.first}")


def _order_text(order: tuple[str, bool]) -> str:
    return f"box_order {order[0]}, box_normalized {str(order[1]).lower()}"


def _batches(result: Runner, images: Sequence[NDArray[Any]]) -> list[str]:
    """Checks that a picture gives the same in a batch of two; where the network takes any batch."""
    if fixed(result.network.input.shape[0]) or result.spec.contract is Contract.SSD_PUBLISHED:
        return []
    pair = (images[0], images[-1])
    together = result.run(*pair)
    apart = [result.run(image) for image in pair]
    for i, single in enumerate(apart):
        agreement = compare(result.found(single), result.found(together, i), result.spec.width, FLOAT)
        if not agreement.within(FLOAT):
            raise ModelError(f"in a batch of two a picture gives something else than alone: {agreement.first}")
    return ["a batch of two gives the same as one by one"]
