"""Verification of a conversion, with fake networks whose outputs are given."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest

from streamdet.convert.model_runner import ModelRunner, convert_input_format
from streamdet.convert.verification import FP32_TOLERANCE, INT8_TOLERANCE, SampleImage, verify_conversion
from streamdet.errors import ModelError
from streamdet.labels import COCO80
from streamdet.model_spec.signature import TensorInfo
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.recognize import CONTRACT_DEFAULTS
from streamdet.picture import Picture

SIZE = 64
SPEC = ModelSpec(
    "net", Contract.SSD_PUBLISHED, SIZE, SIZE, labels=COCO80, **CONTRACT_DEFAULTS[Contract.SSD_PUBLISHED]
)  # fmt: skip
COARSE_PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
DARK = SampleImage("dark", Picture.from_bgr(np.zeros((60, 80, 3), np.uint8)))
SAMPLES = [SampleImage(name, Picture.from_bgr(cv2.resize(COARSE_PICTURE, (80, 60)))) for name in ("first", "second")]


def rows(count: int = 40) -> np.ndarray:
    """Returns (count, 6) corners in 0..1, score, label; boxes do not overlap."""
    places = np.arange(count)
    left, top = places % 8 / 8, places // 8 / 8
    corners = np.stack([left, top, left + 0.1, top + 0.08], axis=1)
    return np.column_stack([corners, 0.9 - places / 100, places % 80 + 1]).astype(np.float32)


@dataclass
class FakeNetwork:
    """Returns the same detections for every image, and records its inputs."""

    table: np.ndarray
    spec: ModelSpec = SPEC
    inputs: list[np.ndarray] = field(default_factory=list)

    @property
    def input(self) -> TensorInfo:
        image = (3, SIZE, SIZE) if self.spec.nchw else (SIZE, SIZE, 3)
        return TensorInfo("image", (1, *image), np.dtype(np.uint8 if self.spec.uint8 else np.float32))

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        single = np.dtype(np.float32)
        return (
            TensorInfo("bboxes", (1, None, 4), single),
            TensorInfo("labels", (1, None), single),
            TensorInfo("scores", (1, None), single),
        )

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self.inputs.append(batch.copy())
        table = self.table[None]
        return {"bboxes": table[..., :4], "scores": table[..., 4], "labels": table[..., 5].astype(np.int64)}

    def close(self) -> None:
        """Nothing to release."""


def runner(table: np.ndarray, spec: ModelSpec = SPEC) -> ModelRunner:
    return ModelRunner(spec, FakeNetwork(table, spec))


def test_equal_detections_are_verified():
    verification = verify_conversion(runner(rows()), runner(rows()), SAMPLES, FP32_TOLERANCE)
    assert (verification.comparison.count, verification.comparison.matched, verification.notes) == (80, 80, ())
    numbers = verification.as_dict()
    assert (numbers["images"], numbers["detections"], numbers["max_box_difference"]) == (2, 80, 0)


@pytest.mark.parametrize(("order", "scale"), [("yxyx", 1), ("xyxy", SIZE), ("yxyx", SIZE)])
def test_the_box_order_of_the_source_is_found(order, scale):
    """The source's documentation of its box order may be wrong; the heads do not depend on it."""
    turned = rows()
    turned[:, :4] = turned[:, [1, 0, 3, 2] if order == "yxyx" else [0, 1, 2, 3]] * scale
    verification = verify_conversion(runner(turned), runner(rows()), SAMPLES, FP32_TOLERANCE)
    assert verification.comparison.matched == 80
    (note,) = verification.notes
    assert f"box_order {order}, box_normalized {str(scale == 1).lower()}" in note


def changed(place: int, column: int, by: float) -> np.ndarray:
    table = rows()
    table[place, column] += by
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(changed(3, 0, -0.01), "class 3 with score 0.8700 at (", id="a corner"),
        pytest.param(changed(0, 4, 0.001), "class 0 with score 0.9", id="a score"),
        pytest.param(changed(7, 5, 1), "with score 0.8300 at (", id="a label"),
        pytest.param(rows()[1:], "only the source has class 0 with score 0.9000", id="one missing"),
        pytest.param(rows() * 1.01, "class 0", id="all by 1 %"),
        pytest.param(rows()[:0], "only the source has class 0", id="none"),
    ],
)
def test_a_difference_is_an_error_with_an_example(table, message):
    with pytest.raises(ModelError) as error:
        verify_conversion(runner(rows()), runner(table), SAMPLES, FP32_TOLERANCE)
    assert "the result differs from its source, so it is not written: first: " in str(error.value)
    assert message in str(error.value)
    assert verify_conversion(runner(rows()), runner(table), SAMPLES, INT8_TOLERANCE).comparison.count == 80


def test_images_without_detections_verify_nothing():
    with pytest.raises(ModelError, match="detects nothing in these images, so nothing is verified: give photos"):
        verify_conversion(runner(rows()[:0]), runner(rows()[:0]), SAMPLES, FP32_TOLERANCE)


@pytest.mark.parametrize("nchw", [True, False])
@pytest.mark.parametrize("rgb", [True, False])
def test_both_networks_get_the_same_bytes(nchw, rgb):
    """A network with a uint8 input is compared on bytes: the effect of rounding pixels is reported separately."""
    raw = replace(SPEC, uint8=True, nchw=nchw, rgb=rgb, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    source, result = FakeNetwork(rows()), FakeNetwork(rows(), raw)
    verification = verify_conversion(ModelRunner(SPEC, source), ModelRunner(raw, result), SAMPLES, FP32_TOLERANCE)
    assert "rounding pixels to bytes keeps 100.0 % of the detections" in verification.notes[0]
    source_input, result_input = source.inputs[0][0], result.inputs[0][0]
    planes = result_input if nchw else result_input.transpose(2, 0, 1)
    planes = planes if rgb else planes[::-1]
    mean, std = (np.array(part).reshape(3, 1, 1) for part in (SPEC.mean, SPEC.std))
    np.testing.assert_allclose(source_input * std + mean, planes, atol=1e-3)
    unrounded = source.inputs[1][0]
    assert 0 < np.abs(unrounded - source_input).max() * 58 < 0.6


ROWS_SPEC = ModelSpec("rows", Contract.END2END, SIZE, SIZE, labels=COCO80)


@dataclass
class AnyBatch(FakeNetwork):
    """Takes any batch; its scores depend on the first pixel. `mixes` returns the first image's rows for all."""

    spec: ModelSpec = ROWS_SPEC
    mixes: bool = False

    @property
    def input(self) -> TensorInfo:
        return TensorInfo("image", (None, 3, SIZE, SIZE), np.dtype(np.float32))

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return (TensorInfo("rows", (None, 40, 6), np.dtype(np.float32)),)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        table = np.stack([self.table] * len(batch))
        table[..., 4] -= batch[:, 0, 0, 0, None] / 2550
        return {"rows": table[:1].repeat(len(batch), axis=0) if self.mixes else table}


@pytest.mark.parametrize("samples", [SAMPLES[:1], [SAMPLES[0], DARK]], ids=["one image", "two images"])
def test_a_batch_must_have_the_detections_of_single_images(samples):
    def result(mixes: bool) -> ModelRunner:
        return ModelRunner(ROWS_SPEC, AnyBatch(rows(), mixes=mixes))

    assert (
        "a batch of two has the same detections as single images"
        in verify_conversion(result(False), result(False), samples, FP32_TOLERANCE).notes
    )
    with pytest.raises(ModelError, match="in a batch of two an image has other detections than alone"):
        verify_conversion(result(False), result(True), samples, FP32_TOLERANCE)


def test_a_uint8_input_is_converted_to_another_layout():
    raw = replace(SPEC, uint8=True, nchw=False, rgb=False, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    image = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(convert_input_format(image, raw, replace(raw, rgb=True)), image[:, :, ::-1])
    np.testing.assert_array_equal(convert_input_format(image, raw, replace(raw, nchw=True)), image.transpose(2, 0, 1))
