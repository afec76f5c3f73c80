"""The detector: pictures in, detections in frame pixels out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace
from streamdet.detect.output_contracts import Decoder, bind_decoder
from streamdet.detect.postprocess import PostprocessRules, RawDetections
from streamdet.detect.preprocess import LetterboxTransform, Preprocessor
from streamdet.errors import ModelError, UsageError
from streamdet.inference.providers import ProviderOptions
from streamdet.inference.providers.cpu_threads import check_threads
from streamdet.inference.session import Session
from streamdet.labels import select_classes
from streamdet.model_spec.signature import Tensor, describe_tensors, fixed_size
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.catalog import resolve_model
from streamdet.models.model_cache import Downloader, refuse_download
from streamdet.models.onnx_file import ModelFile
from streamdet.picture import Picture, PixelFormat, plane_shapes
from streamdet.protocols import Detector
from streamdet.types import Detected, Detections, StageTimes

_GPU_BATCH = 8
"""How many pictures go together on a GPU where the network takes any number: enough to fill it, and still quick."""

_GPU = ("cuda", "tensorrt")
"""Providers that run a batch faster than its pictures one by one; on a CPU it only makes the first ones wait."""

_MEASURED, _MEASURED_S = 5, 0.5
"""How often, and about how long at most, a detector is timed before a run: a heavy one once."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """What a user may choose about detection.

    Attributes:
        conf: score threshold in [0, 1); None takes the model's own.
        iou: IoU threshold of non-maximum suppression in [0, 1]; None takes the model's own.
        classes: names (or numbers) of the classes to report; empty for all.
        provider: execution provider: "auto", "cuda", "tensorrt", "openvino" or "cpu".
        precision: "auto", "fp32", "fp16", "bf16" or "int8".
        threads: for inference on the CPU; 0 leaves it to the session.
        cuda_graph: on an NVIDIA GPU replay a batch as one recorded graph, where the network allows it.
        max_detections: the best so many of a picture are reported.
        class_agnostic_nms: boxes of different classes suppress each other too.
        max_batch: how many pictures go together where the network takes any number; 0 chooses 8 on a GPU, else 1.
        batch_wait_ms: how long a picture may wait for those of other sources to go with it.
        niceness: with a live source, how much inference on the processor gives way to decoding and encoding, 0 to 19.
    """

    conf: float | None = None
    iou: float | None = None
    classes: tuple[str, ...] = ()
    provider: str = "auto"
    precision: str = "auto"
    threads: int = 0
    cuda_graph: bool = False
    max_detections: int = 200
    class_agnostic_nms: bool = False
    max_batch: int = 0
    batch_wait_ms: float = 2.0
    niceness: int = 5

    def __post_init__(self) -> None:
        if self.conf is not None and not 0 <= self.conf < 1:
            raise UsageError(f"conf must be at least 0 and less than 1, got {self.conf}")
        if self.iou is not None and not 0 <= self.iou <= 1:
            raise UsageError(f"iou must be from 0 to 1, got {self.iou}")
        check_threads(self.threads)
        if self.max_batch < 0:
            raise UsageError(f"max_batch must not be negative, got {self.max_batch}")
        if not 0 <= self.batch_wait_ms <= 1000:
            raise UsageError(f"batch_wait_ms must be from 0 to 1000, got {self.batch_wait_ms}")
        if not 0 <= self.niceness <= 19:
            raise UsageError(f"niceness must be from 0 (not at all) to 19, got {self.niceness}")
        if self.max_detections < 1:
            raise UsageError(f"max_detections must be at least 1, got {self.max_detections}")


def load_detector(
    model: str | Path | ModelSpec | ModelFile,
    options: DetectorOptions | None = None,
    contract: Contract | None = None,
    download: Downloader = refuse_download,
) -> ModelDetector:
    """Loads a model and makes it ready to detect; call `ModelDetector.warm_up` before the first frame that matters.

    Args:
        model: a known name, an ONNX file, a YAML description, a spec, or what is in a file.
        options: what to look for and on what to run.
        contract: what the outputs of a file mean, instead of recognising it.
        download: is asked for a known or described model's file that is not there; see
            `streamdet.models.model_cache.downloader`. By
            default nothing is downloaded.

    Raises:
        ModelError: the model is missing, broken, or of no known contract.
        UsageError: an option cannot work, a class is unknown.
        HardwareError: the provider asked for is not available.
    """
    options = options or DetectorOptions()
    spec, file = resolve_model(model, contract, download)
    select_classes(spec.labels, options.classes)  # a typing mistake should not wait for a session
    tuning = ProviderOptions(max_batch=options.max_batch or _GPU_BATCH, cuda_graph=options.cuda_graph)
    session = Session(
        file, provider=options.provider, precision=options.precision, threads=options.threads, options=tuning
    )
    try:
        return ModelDetector(spec, session, options)
    except BaseException:
        session.close()
        raise


def measure_seconds_per_picture(detector: Detector) -> float:
    """Returns what a detector takes for a 1080p picture alone, from pixels to boxes: the median of a few."""
    picture, taken = _gray(PixelFormat.I420, 1920, 1080), list[float]()
    while len(taken) < _MEASURED and sum(taken) < _MEASURED_S:
        start = time.perf_counter()
        detector.detect([picture])
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


class ModelDetector:
    """A model with its session, from pictures to detections.

    One thread uses a detector: its input buffer is reused.

    Attributes:
        spec: how the model is fed and read.
        conf: what counts as an object; weaker detections are reported where a tracker wants them.
        rules: what is reported of what the network gives.
        max_batch: how many pictures `detect` runs at once; more are run in several goes.
    """

    def __init__(self, spec: ModelSpec, session: Session, options: DetectorOptions) -> None:
        """Ties a session to its model's description; the detector closes the session."""
        _check_input(spec, session.input)
        self.spec = spec
        self._session = session
        self._decoder: Decoder = bind_decoder(spec, session.outputs)
        self.conf = spec.conf if options.conf is None else options.conf
        self.rules = _rules(spec, options, self._decoder.classes, self.conf)
        self._preprocess = Preprocessor(spec)
        self._fixed_batch = fixed_size(session.input.shape[0])
        self.max_batch = self._fixed_batch or options.max_batch or (_GPU_BATCH if session.provider in _GPU else 1)
        self._batch: NDArray[np.float32] | NDArray[np.uint8] = self._new_batch(self._fixed_batch or 1)

    @property
    def provider(self) -> str:
        """The execution provider that runs, asked of the session itself."""
        return self._session.provider

    @property
    def explain(self) -> str:
        """Why it is that provider, for people."""
        return self._session.explain

    def lower_report_threshold(self, score: float) -> None:
        """Reports detections down to `score` too, where that is less than `conf`: a tracker wants them."""
        self.rules = replace(self.rules, conf=min(self.conf, score))

    def detect(self, pictures: Sequence[Picture]) -> list[Detected]:
        """Detects objects in pictures of any sizes and formats; one answer for each, in their order.

        Raises:
            ModelError: the model does not give what its contract promises.
        """
        detected: list[Detected] = []
        for start in range(0, len(pictures), self.max_batch):
            detected += self._detect_batch(pictures[start : start + self.max_batch])
        return detected

    def warm_up(self) -> None:
        """Compiles every kernel for every pixel format and runs the session once, so that the first frame is quick."""
        for format in PixelFormat:
            self._preprocess(_gray(format), self._batch[0])
        outputs = self._session.run(self._batch)
        everything = replace(self.rules, conf=0.0)
        self._in_frame(
            self._decoder.decode(outputs, 0, everything), LetterboxTransform(1.0, 1.0), _gray(PixelFormat.I420)
        )

    def measure_seconds_per_picture(self) -> float:
        """Measures what a 1080p picture takes alone, from pixels to boxes; call it after `warm_up`."""
        return measure_seconds_per_picture(self)

    def close(self) -> None:
        """Gives the session back. Idempotent."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_batch(self, count: int) -> NDArray[np.float32] | NDArray[np.uint8]:
        return np.zeros((count, *self._preprocess.shape), self._preprocess.dtype)

    def _detect_batch(self, pictures: Sequence[Picture]) -> list[Detected]:
        count = self._fixed_batch or len(pictures)
        if count > len(self._batch):
            self._batch = self._new_batch(count)
        batch = self._batch[:count]
        ticks = [time.perf_counter()]
        fits: list[LetterboxTransform] = []
        for picture, image in zip(pictures, batch, strict=False):
            fits.append(self._preprocess(picture, image))
            ticks.append(time.perf_counter())
        outputs = self._session.run(batch)
        start = time.perf_counter()
        infer_ms = 1000 * (start - ticks[-1]) / len(pictures)
        detected: list[Detected] = []
        for i, (picture, fit) in enumerate(zip(pictures, fits, strict=True)):
            detections = self._in_frame(self._decoder.decode(outputs, i, self.rules), fit, picture)
            end = time.perf_counter()
            times = StageTimes(1000 * (ticks[i + 1] - ticks[i]), infer_ms, 1000 * (end - start))
            detected.append(Detected(detections, times))
            start = end
        return detected

    def _in_frame(self, found: RawDetections, fit: LetterboxTransform, picture: Picture) -> Detections:
        boxes = fit.boxes_to_frame(found.boxes_xyxy, picture.width, picture.height)
        inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])  # something of it is in the picture
        detections = Detections(boxes, found.scores, found.class_ids, labels=self.spec.labels)
        return detections if inside.all() else detections[inside]


def _rules(spec: ModelSpec, options: DetectorOptions, classes: int, conf: float) -> PostprocessRules:
    labels = spec.labels or tuple(str(i) for i in range(classes))
    iou = spec.iou if options.iou is None else options.iou
    wanted = select_classes(labels, options.classes)
    return PostprocessRules(conf, iou, wanted, options.max_detections, options.class_agnostic_nms)


def _check_input(spec: ModelSpec, tensor: Tensor) -> None:
    """Refuses a spec that does not fit the model's input.

    Raises:
        ModelError: it does not.
    """
    image = (3, spec.height, spec.width) if spec.nchw else (spec.height, spec.width, 3)
    sizes = [fixed_size(dimension) for dimension in tensor.shape]
    agrees = len(sizes) == 4 and all(size in (0, wanted) for size, wanted in zip(sizes[1:], image, strict=True))
    if not agrees:
        raise ModelError(
            f"{spec.name} is described with input (n, {', '.join(map(str, image))}), takes {describe_tensors([tensor])}"
        )
    if (np.dtype(tensor.dtype) == np.uint8) != spec.uint8:
        raise ModelError(f"{spec.name} takes {np.dtype(tensor.dtype)}: correct `uint8` in its YAML description")
    if spec.uint8 and (any(spec.mean) or set(spec.std) != {1.0}):
        raise ModelError(f"{spec.name} takes bytes as they are: leave out `mean` and `std` in its YAML description")


def _gray(format: PixelFormat, width: int = 64, height: int = 48) -> Picture:
    shapes = plane_shapes(format, width, height)
    planes = tuple(np.full(shape, 128, np.uint8) for shape in shapes)
    return Picture(width, height, format, planes, ColorSpace())
