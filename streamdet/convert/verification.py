"""Verifies a conversion: source and result run on the same images and must detect the same."""

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
"""For resized pixels rounded to bytes against unrounded ones."""
INT8_TOLERANCE = Tolerance(0.05, 0.1, 0.0)
"""For INT8: reported, without a limit. The quantizer limits the accuracy loss."""

_MAX_ROUNDING_SAMPLES = 4  # the source runs once more for each image on which the effect of rounding is measured
_InputAndDetections = tuple[NDArray[Any], RawDetections]
_BoxOrder = tuple[str, bool]  # box_order and box_normalized of a spec
_BOX_ORDERS: tuple[_BoxOrder, ...] = (("xyxy", True), ("yxyx", True), ("xyxy", False), ("yxyx", False))


@dataclass(frozen=True, slots=True)
class SampleImage:
    """A picture with a name for messages."""

    name: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Verification:
    """A successful verification.

    Attributes:
        samples: names of the images.
        tolerance: that was required.
        comparison: over all images.
        notes: for the user.
    """

    samples: tuple[str, ...]
    tolerance: Tolerance
    comparison: Comparison
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns its numbers for the file's metadata."""
        return {
            "images": len(self.samples),
            "detections": self.comparison.count,
            "matched": self.comparison.matched,
            "borderline": self.comparison.borderline,
            "max_box_difference": round(self.comparison.max_box_difference, 9),
            "max_score_difference": round(self.comparison.max_score_difference, 9),
            "tolerance": str(self.tolerance),
        }


def verify_conversion(
    source: ModelRunner,
    result: ModelRunner,
    samples: Sequence[SampleImage],
    tolerance: Tolerance,
    progress: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Runs both models on the same images and compares their detections.

    Where one of the two takes bytes, both get the same bytes, so that the networks are compared. The effect of rounding
    resized pixels to bytes is measured and reported separately.

    Raises:
        ModelError: they differ by more than `tolerance`; the message names image and detection.
    """
    run = _VerificationRun(source, result, tolerance)
    for number, sample in enumerate(samples):
        progress(f"verification: {sample.name} ({number + 1} of {len(samples)})")
        run.add(sample)
    comparison, notes = run.finish()
    if result.spec.contract is not Contract.SSD_PUBLISHED:
        notes += _verify_batch(result, run.first, run.last)
    return Verification(tuple(sample.name for sample in samples), tolerance, comparison, tuple(notes))


@dataclass(slots=True)
class _VerificationRun:
    """The comparisons so far.

    Attributes:
        source: the reference.
        result: the converted model.
        tolerance: required.
        total: with the source's boxes decoded as its spec says.
        by_box_order: with its boxes decoded in each possible order. For the published form only, whose pages contradict
            each other, so that only running the file shows which corner comes first.
        rounding: of the result on bytes with the source on unrounded pixels.
        rounding_samples: number of images in `rounding`.
        first: input and detections of the result for the first image.
        last: input and detections of the result for the last image.
    """

    source: ModelRunner
    result: ModelRunner
    tolerance: Tolerance
    total: Comparison = field(default_factory=Comparison)
    by_box_order: dict[_BoxOrder, Comparison] = field(default_factory=dict)
    rounding: Comparison = field(default_factory=Comparison)
    rounding_samples: int = 0
    first: _InputAndDetections | None = None
    last: _InputAndDetections | None = None

    def add(self, sample: SampleImage) -> None:
        """Runs both models on an image.

        Raises:
            ModelError: the result differs in a way that further images cannot explain.
        """
        source_input, result_input = self._same_inputs(sample.picture)
        outputs = self.source.run(source_input)
        found = self.result.decode(self.result.run(result_input))
        self._compare(outputs, found, sample.name)
        self.last = result_input, found
        self.first = self.first or self.last
        rounds_pixels = self.result.spec.uint8 and not self.source.spec.uint8
        if rounds_pixels and self.tolerance.share == 1 and self.rounding_samples < _MAX_ROUNDING_SAMPLES:
            self.rounding_samples += 1
            unrounded = self.source.decode(self.source.run(self.source.preprocess(sample.picture)))
            self.rounding += compare(unrounded, found, self.source.spec.width, UINT8_ROUNDING_TOLERANCE)

    def finish(self) -> tuple[Comparison, list[str]]:
        """Returns the comparison over all images, and notes for the user.

        Raises:
            ModelError: the result differs, or there are no detections to compare.
        """
        order = self._actual_box_order()
        comparison = self.total if order is None else self.by_box_order[order]
        if not comparison.count:
            raise ModelError(
                "the source detects nothing in these images, so nothing is verified: give photos with --images"
            )
        notes = []
        if order is not None:
            text = f"box_order {order[0]}, box_normalized {str(order[1]).lower()}"
            notes.append(f"the source's boxes are {text}, which is not what its spec says")
        if self.rounding.count:
            share, score = 100 * self.rounding.matched_share, self.rounding.max_score_difference
            notes.append(f"rounding pixels to bytes keeps {share:.1f} % of the detections, scores within {score:.4f}")
            if not self.rounding.within(UINT8_ROUNDING_TOLERANCE):
                raise ModelError(
                    f"an input of bytes changes too much: {notes[-1]}; required: {UINT8_ROUNDING_TOLERANCE}"
                )
        return comparison, notes

    def _same_inputs(self, picture: Picture) -> tuple[NDArray[Any], NDArray[Any]]:
        """Returns the inputs of source and result for a picture, from the same pixel values."""
        spec = next((runner.spec for runner in (self.result, self.source) if runner.spec.uint8), None)
        if spec is None:
            return self.source.preprocess(picture), self.result.preprocess(picture)
        to_bytes = Preprocessor(spec)
        image = np.empty(to_bytes.shape, np.uint8)
        to_bytes(picture, image)
        return convert_input_format(image, spec, self.source.spec), convert_input_format(image, spec, self.result.spec)

    def _compare(self, outputs: Outputs, found: RawDetections, name: str) -> None:
        spec, side = self.source.spec, self.source.spec.width
        comparison = compare(self.source.decode(outputs), found, side, self.tolerance)
        self.total += replace(comparison, example=comparison.example and f"{name}: {comparison.example}")
        if spec.contract is Contract.SSD_PUBLISHED:
            for order in _BOX_ORDERS:
                other_spec = replace(spec, box_order=order[0], box_normalized=order[1])
                other = compare(self.source.decode(outputs, spec=other_spec), found, side, self.tolerance)
                self.by_box_order[order] = self.by_box_order.get(order, Comparison()) + other
        everything = (self.total, *self.by_box_order.values())
        if self.tolerance.share == 1 and all(comparison.unexplained for comparison in everything):
            raise ModelError(f"the result differs from its source, so it is not written: {self.total.example}")

    def _actual_box_order(self) -> _BoxOrder | None:
        """Returns the order of the source's boxes, None where it is the one that its spec says.

        Raises:
            ModelError: the result differs in every order.
        """
        if self.total.within(self.tolerance) and (self.total.count or not self.by_box_order):
            return None
        fitting = [order for order, found in self.by_box_order.items() if found.within(self.tolerance) and found.count]
        if fitting:
            return fitting[0]
        if self.total.within(self.tolerance):
            return None
        share = f"{100 * self.total.matched_share:.1f} % of {self.total.count} detections match"
        raise ModelError(
            f"the result differs from its source, so it is not written: {share}, required: {self.tolerance}; "
            f"{self.total.example}"
        )


def _verify_batch(
    result: ModelRunner, first: _InputAndDetections | None, last: _InputAndDetections | None
) -> list[str]:
    """Checks that an image in a batch of two has the same detections as alone, for a network of any batch size."""
    if first is None or last is None or fixed_size(result.network.input.shape[0]):
        return []
    if last is first:
        mirrored = np.ascontiguousarray(first[0][..., ::-1] if result.spec.nchw else first[0][:, ::-1])
        last = mirrored, result.decode(result.run(mirrored))
    outputs = result.run(first[0], last[0])
    for i, (_, alone) in enumerate((first, last)):
        comparison = compare(alone, result.decode(outputs, i), result.spec.width, FP32_TOLERANCE)
        if not comparison.within(FP32_TOLERANCE):
            raise ModelError(f"in a batch of two an image has other detections than alone: {comparison.example}")
    return ["a batch of two has the same detections as single images"]
