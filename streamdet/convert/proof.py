"""The proof of a conversion: source and result run on the same pictures, and must find the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.convert.comparison import Comparison, Tolerance, compare
from streamdet.convert.model_runner import ModelRunner, Outputs, convert_input_format
from streamdet.detect.postprocess import RawDetections
from streamdet.detect.preprocess import Preprocessor
from streamdet.errors import ModelError
from streamdet.model_spec.signature import fixed_size
from streamdet.model_spec.spec import Contract
from streamdet.picture import Picture

FP32_TOLERANCE = Tolerance(1e-4, 1e-4, 1.0)
"""Between float32 networks: only the order of some arithmetic differs."""
FP16_TOLERANCE = Tolerance(0.01, 0.02, 0.95)
"""For FP16 against FP32."""
UINT8_ROUNDING_TOLERANCE = Tolerance(0.01, 0.02, 0.9)
"""For pixels rounded to bytes after resizing against unrounded ones."""
INT8_TOLERANCE = Tolerance(0.05, 0.1, 0.0)
"""For INT8: told, not judged. The quantiser judges by accuracy."""

_ROUNDED_SAMPLES = 4  # on which rounding is looked at: the source runs once more for each
_Seen = tuple[NDArray[Any], RawDetections]  # what a network was fed with, and what it found
_Order = tuple[str, bool]  # box_order and box_normalized of a spec
_ORDERS: tuple[_Order, ...] = (("xyxy", True), ("yxyx", True), ("xyxy", False), ("yxyx", False))


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
    agreement: Comparison
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns its numbers for the file's metadata."""
        a = self.agreement
        return {
            "pictures": len(self.samples),
            "detections": a.count,
            "matched": a.matched,
            "borderline": a.borderline,
            "greatest_box_difference": round(a.box, 9),
            "greatest_score_difference": round(a.score, 9),
            "tolerance": str(self.strict),
        }


def prove(
    source: ModelRunner,
    result: ModelRunner,
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
    comparison = _Comparison(source, result, strict)
    for number, sample in enumerate(samples):
        progress(f"proof: {sample.name} ({number + 1} of {len(samples)})")
        comparison.add(sample)
    agreement, notes = comparison.settled()
    if result.spec.contract is not Contract.SSD_PUBLISHED:
        notes += _batches(result, comparison.first, comparison.last)
    return Proof(tuple(sample.name for sample in samples), strict, agreement, tuple(notes))


@dataclass(slots=True)
class _Comparison:
    """What is known after some pictures.

    Attributes:
        total: agreement with the source's boxes read as its spec says.
        orders: agreement with its boxes read in each way there is; for the published form, whose pages contradict each
            other, so that only the file tells which corner comes first.
        rounding: agreement of the result on bytes with the source on unrounded pixels.
        rounded: pictures that this was looked at on.
        first: what the result was fed with for the first picture, and what it found.
        last: the same for the last.
    """

    source: ModelRunner
    result: ModelRunner
    strict: Tolerance
    total: Comparison = field(default_factory=Comparison)
    orders: dict[_Order, Comparison] = field(default_factory=dict)
    rounding: Comparison = field(default_factory=Comparison)
    rounded: int = 0
    first: _Seen | None = None
    last: _Seen | None = None

    def add(self, sample: Sample) -> None:
        """Runs both on a picture.

        Raises:
            ModelError: nothing can make the result fit any more.
        """
        fed, ours = self._same(sample.picture)
        outputs = self.source.run(fed)
        found = self.result.found(self.result.run(ours))
        self._judge(outputs, found, sample.name)
        self.last = ours, found
        self.first = self.first or self.last
        becomes_bytes = self.result.spec.uint8 and not self.source.spec.uint8
        if becomes_bytes and self.strict.share == 1 and self.rounded < _ROUNDED_SAMPLES:
            self.rounded += 1
            plain = self.source.found(self.source.run(self.source.image(sample.picture)))
            self.rounding += compare(plain, found, self.source.spec.width, UINT8_ROUNDING_TOLERANCE)

    def settled(self) -> tuple[Comparison, list[str]]:
        """Returns the agreement, and what else is to be told.

        Raises:
            ModelError: the result differs, or nothing was found that could.
        """
        order = self._settled_order()
        agreement = self.total if order is None else self.orders[order]
        if not agreement.count:
            raise ModelError(
                "the source finds nothing in these pictures, so nothing is proven: give photos with --images"
            )
        notes = []
        if order is not None:
            text = f"box_order {order[0]}, box_normalized {str(order[1]).lower()}"
            notes.append(f"the source gives its boxes as {text}, which is not what was assumed")
        if self.rounding.count:
            text = f"rounding pixels to bytes: {100 * self.rounding.share:.1f} % of the detections stay, scores within "
            notes.append(f"{text}{self.rounding.score:.4f}")
            if not self.rounding.within(UINT8_ROUNDING_TOLERANCE):
                raise ModelError(f"taking bytes changes too much: {notes[-1]}; asked for {UINT8_ROUNDING_TOLERANCE}")
        return agreement, notes

    def _same(self, picture: Picture) -> tuple[NDArray[Any], NDArray[Any]]:
        """Returns what to feed the source and the result with, the same to both."""
        spec = next((runner.spec for runner in (self.result, self.source) if runner.spec.uint8), None)
        if spec is None:
            return self.source.image(picture), self.result.image(picture)
        to_bytes = Preprocessor(spec)
        image = np.empty(to_bytes.shape, np.uint8)
        to_bytes(picture, image)
        return convert_input_format(image, spec, self.source.spec), convert_input_format(image, spec, self.result.spec)

    def _judge(self, outputs: Outputs, found: RawDetections, name: str) -> None:
        spec, side = self.source.spec, self.source.spec.width
        agreement = compare(self.source.found(outputs), found, side, self.strict)
        self.total += replace(agreement, first=agreement.first and f"{name}: {agreement.first}")
        if spec.contract is Contract.SSD_PUBLISHED:
            for order in _ORDERS:
                read = replace(spec, box_order=order[0], box_normalized=order[1])
                other = compare(self.source.found(outputs, spec=read), found, side, self.strict)
                self.orders[order] = self.orders.get(order, Comparison()) + other
        everything = (self.total, *self.orders.values())
        if self.strict.share == 1 and all(agreement.unexplained for agreement in everything):
            raise ModelError(f"the result differs from its source, so it is not written: {self.total.first}")

    def _settled_order(self) -> _Order | None:
        """Returns the order of the source's boxes where it is another than its spec says.

        Raises:
            ModelError: no order fits.
        """
        if self.total.within(self.strict) and (self.total.count or not self.orders):
            return None
        fitting = [order for order, found in self.orders.items() if found.within(self.strict) and found.count]
        if fitting:
            return fitting[0]
        if self.total.within(self.strict):
            return None
        text = f"{100 * self.total.share:.1f} % of {self.total.count} detections agree, asked for {self.strict}"
        raise ModelError(f"the result differs from its source, so it is not written: {text}; {self.total.first}")


def _batches(result: ModelRunner, first: _Seen | None, last: _Seen | None) -> list[str]:
    """Checks that a picture gives the same in a batch of two; where the network takes any batch."""
    if first is None or last is None or fixed_size(result.network.input.shape[0]):
        return []
    if last is first:
        mirrored = np.ascontiguousarray(first[0][..., ::-1] if result.spec.nchw else first[0][:, ::-1])
        last = mirrored, result.found(result.run(mirrored))
    together = result.run(first[0], last[0])
    for i, (_, alone) in enumerate((first, last)):
        agreement = compare(alone, result.found(together, i), result.spec.width, FP32_TOLERANCE)
        if not agreement.within(FP32_TOLERANCE):
            raise ModelError(f"in a batch of two a picture gives something else than alone: {agreement.first}")
    return ["a batch of two gives the same as one by one"]
