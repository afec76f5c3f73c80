"""The proof's own judgement, with networks that are made up: what they give is written down."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest

from streamdet.convert.model_runner import ModelRunner, convert_input_format
from streamdet.convert.proof import FP32_TOLERANCE, INT8_TOLERANCE, Sample, prove
from streamdet.errors import ModelError
from streamdet.labels import COCO80
from streamdet.model_spec.signature import TensorInfo
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.recognise import CONTRACT_DEFAULTS
from streamdet.picture import Picture

SIZE = 64
SPEC = ModelSpec(
    "net", Contract.SSD_PUBLISHED, SIZE, SIZE, labels=COCO80, **CONTRACT_DEFAULTS[Contract.SSD_PUBLISHED]
)  # fmt: skip
COARSE_PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
DARK = Sample("dark", Picture.from_bgr(np.zeros((60, 80, 3), np.uint8)))
SAMPLES = [Sample(name, Picture.from_bgr(cv2.resize(COARSE_PICTURE, (80, 60)))) for name in ("first", "second")]


def rows(count: int = 40) -> np.ndarray:
    """(count, 6): corners in 0..1, score, label; no box meets another."""
    places = np.arange(count)
    left, top = places % 8 / 8, places // 8 / 8
    corners = np.stack([left, top, left + 0.1, top + 0.08], axis=1)
    return np.column_stack([corners, 0.9 - places / 100, places % 80 + 1]).astype(np.float32)


@dataclass
class Fake:
    """Gives the same detections whatever it sees, and keeps what it was shown."""

    table: np.ndarray
    spec: ModelSpec = SPEC
    seen: list[np.ndarray] = field(default_factory=list)

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
        self.seen.append(batch.copy())
        table = self.table[None]
        return {"bboxes": table[..., :4], "scores": table[..., 4], "labels": table[..., 5].astype(np.int64)}

    def close(self) -> None:
        """Nothing to free."""


def runner(table: np.ndarray, spec: ModelSpec = SPEC) -> ModelRunner:
    return ModelRunner(spec, Fake(table, spec))


def test_the_same_is_proven():
    proof = prove(runner(rows()), runner(rows()), SAMPLES, FP32_TOLERANCE)
    assert (proof.agreement.count, proof.agreement.matched, proof.notes) == (80, 80, ())
    told = proof.as_dict()
    assert (told["pictures"], told["detections"], told["greatest_box_difference"]) == (2, 80, 0)


@pytest.mark.parametrize(("order", "scale"), [("yxyx", 1), ("xyxy", SIZE), ("yxyx", SIZE)])
def test_the_order_of_the_sources_boxes_is_settled(order, scale):
    """What its page says of the boxes need not be so; the heads do not depend on it."""
    turned = rows()
    turned[:, :4] = turned[:, [1, 0, 3, 2] if order == "yxyx" else [0, 1, 2, 3]] * scale
    proof = prove(runner(turned), runner(rows()), SAMPLES, FP32_TOLERANCE)
    assert proof.agreement.matched == 80
    (note,) = proof.notes
    assert f"box_order {order}, box_normalized {str(scale == 1).lower()}" in note


def changed(place: int, column: int, by: float) -> np.ndarray:
    table = rows()
    table[place, column] += by
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param(changed(3, 0, -0.01), "class 3 with score 0.8700 at (", id="a corner"),
        pytest.param(changed(0, 4, 0.001), "class 0 with score 0.9", id="a score"),
        pytest.param(changed(7, 5, 1), "with score 0.8300 at (", id="a label"),
        pytest.param(rows()[1:], "only the source has class 0 with score 0.9000", id="one less"),
        pytest.param(rows() * 1.01, "class 0", id="all a little"),
        pytest.param(rows()[:0], "only the source has class 0", id="nothing"),
    ],
)
def test_a_difference_is_refused_and_told(table, words):
    with pytest.raises(ModelError) as error:
        prove(runner(rows()), runner(table), SAMPLES, FP32_TOLERANCE)
    assert "the result differs from its source, so it is not written: first: " in str(error.value)
    assert words in str(error.value)
    assert prove(runner(rows()), runner(table), SAMPLES, INT8_TOLERANCE).agreement.count == 80


def test_nothing_found_proves_nothing():
    with pytest.raises(ModelError, match="finds nothing in these pictures, so nothing is proven: give photos"):
        prove(runner(rows()[:0]), runner(rows()[:0]), SAMPLES, FP32_TOLERANCE)


@pytest.mark.parametrize("nchw", [True, False])
@pytest.mark.parametrize("rgb", [True, False])
def test_both_get_the_same_bytes(nchw, rgb):
    """A network that takes bytes is compared on bytes: what rounding does to pixels is told apart."""
    raw = replace(SPEC, uint8=True, nchw=nchw, rgb=rgb, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    source, result = Fake(rows()), Fake(rows(), raw)
    proof = prove(ModelRunner(SPEC, source), ModelRunner(raw, result), SAMPLES, FP32_TOLERANCE)
    assert "rounding pixels to bytes: 100.0 % of the detections stay" in proof.notes[0]
    fair, rounded = source.seen[0][0], result.seen[0][0]
    planes = rounded if nchw else rounded.transpose(2, 0, 1)
    planes = planes if rgb else planes[::-1]
    mean, std = (np.array(part).reshape(3, 1, 1) for part in (SPEC.mean, SPEC.std))
    np.testing.assert_allclose(fair * std + mean, planes, atol=1e-3)
    unrounded = source.seen[1][0]
    assert 0 < np.abs(unrounded - fair).max() * 58 < 0.6


ROWS_SPEC = ModelSpec("rows", Contract.END2END, SIZE, SIZE, labels=COCO80)


@dataclass
class AnyBatch(Fake):
    """Is as sure as the first pixel is bright; takes any batch, and mixes up what is in it where that is wanted."""

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


@pytest.mark.parametrize("samples", [SAMPLES[:1], [SAMPLES[0], DARK]], ids=["one picture", "two pictures"])
def test_a_batch_must_give_what_single_pictures_do(samples):
    def result(mixes: bool) -> ModelRunner:
        return ModelRunner(ROWS_SPEC, AnyBatch(rows(), mixes=mixes))

    assert (
        "a batch of two gives the same as one by one"
        in prove(result(False), result(False), samples, FP32_TOLERANCE).notes
    )
    with pytest.raises(ModelError, match="in a batch of two a picture gives something else than alone"):
        prove(result(False), result(True), samples, FP32_TOLERANCE)


def test_bytes_to_bytes():
    raw = replace(SPEC, uint8=True, nchw=False, rgb=False, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    image = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(convert_input_format(image, raw, replace(raw, rgb=True)), image[:, :, ::-1])
    np.testing.assert_array_equal(convert_input_format(image, raw, replace(raw, nchw=True)), image.transpose(2, 0, 1))
