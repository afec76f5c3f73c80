"""The model detector: pictures in, detections in frame pixels out."""

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
"""Batch size on a GPU if the network takes any: enough to fill the GPU, with low latency."""

_GPU = ("cuda", "tensorrt")
"""Providers that run a batch faster than single pictures. On a CPU a batch only delays its first pictures."""

_TIMED_RUNS, _TIMED_S = 5, 0.5
"""Maximum number of timed runs before a run, and their total seconds; a slow detector is timed once."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """The user's options of detection.

    Attributes:
        conf: score threshold in [0, 1); None: the model's default.
        iou: IoU threshold of non-maximum suppression in [0, 1]; None: the model's default.
        classes: names or ids of the classes to report; empty for all.
        provider: execution provider: "auto", "cuda", "tensorrt", "openvino" or "cpu".
        precision: "auto", "fp32", "fp16", "bf16" or "int8".
        threads: CPU threads of inference; 0 lets the session choose.
        cuda_graph: on an NVIDIA GPU, replay a batch as one recorded CUDA graph, if the network allows it.
        max_detections: maximum number of detections of a picture; the best are reported.
        class_agnostic_nms: boxes of different classes suppress each other too.
        max_batch: maximum batch size if the network takes any; 0: 8 on a GPU, else 1.
        batch_wait_ms: how long a picture may wait for pictures of other sources to join its batch.
        niceness: niceness of the inference thread with live sources, 0 to 19: decoding and encoding go first.
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
            raise UsageError(f"niceness must be from 0 to 19, got {self.niceness}")
        if self.max_detections < 1:
            raise UsageError(f"max_detections must be at least 1, got {self.max_detections}")


def load_detector(
    model: str | Path | ModelSpec | ModelFile,
    options: DetectorOptions | None = None,
    contract: Contract | None = None,
    download: Downloader = refuse_download,
) -> ModelDetector:
    """Loads a detector; call `ModelDetector.warm_up` before the first frame that matters.

    Args:
        model: a known name, an ONNX file, a YAML description, a spec, or the content of a file.
        options: the user's options.
        contract: the output contract of a file; None recognizes it.
        download: is asked for a known or described model's file that is not there; see
            `streamdet.models.model_cache.downloader`. By
            default nothing is downloaded.

    Raises:
        ModelError: the model is missing, broken, or of no known contract.
        UsageError: an option is invalid or a class is unknown.
        HardwareError: the requested provider is not available.
    """
    options = options or DetectorOptions()
    spec, file = resolve_model(model, contract, download)
    select_classes(spec.labels, options.classes)  # report a typing mistake before loading a session
    provider_options = ProviderOptions(max_batch=options.max_batch or _GPU_BATCH, cuda_graph=options.cuda_graph)
    session = Session(
        file, provider=options.provider, precision=options.precision, threads=options.threads, options=provider_options
    )
    try:
        return ModelDetector(spec, session, options)
    except BaseException:
        session.close()
        raise


def measure_seconds_per_picture(detector: Detector) -> float:
    """Returns what a detector takes for a 1080p picture alone, from pixels to boxes: the median of a few."""
    picture, seconds = _gray_picture(PixelFormat.I420, 1920, 1080), list[float]()
    while len(seconds) < _TIMED_RUNS and sum(seconds) < _TIMED_S:
        start = time.perf_counter()
        detector.detect([picture])
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


class ModelDetector:
    """A model with its session, from pictures to detections.

    Not thread-safe: the input buffer is reused.

    Attributes:
        spec: pre- and post-processing of the model.
        conf: minimum score of an object; weaker detections are reported too if a tracker needs them.
        rules: which detections are reported.
        max_batch: batch size of `detect`; more pictures are run in several batches.
    """

    def __init__(self, spec: ModelSpec, session: Session, options: DetectorOptions) -> None:
        """Binds a session to the description of its model; the detector closes the session."""
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
        """The execution provider that runs, as the session reports it."""
        return self._session.provider

    @property
    def explain(self) -> str:
        """Why that provider runs, in one line for the user."""
        return self._session.explain

    def lower_report_threshold(self, score: float) -> None:
        """Also reports detections with scores from `score` to `conf`, which a tracker needs."""
        self.rules = replace(self.rules, conf=min(self.conf, score))

    def detect(self, pictures: Sequence[Picture]) -> list[Detected]:
        """Returns the detections of each picture, in order; pictures may have any size and format.

        Raises:
            ModelError: the outputs of the model do not match its contract.
        """
        detected: list[Detected] = []
        for start in range(0, len(pictures), self.max_batch):
            detected += self._detect_batch(pictures[start : start + self.max_batch])
        return detected

    def warm_up(self) -> None:
        """Compiles every kernel for every pixel format and runs the session once, so that the first frame is fast."""
        for format in PixelFormat:
            self._preprocess(_gray_picture(format), self._batch[0])
        outputs = self._session.run(self._batch)
        keep_all = replace(self.rules, conf=0.0)
        self._in_frame(
            self._decoder.decode(outputs, 0, keep_all), LetterboxTransform(1.0, 1.0), _gray_picture(PixelFormat.I420)
        )

    def measure_seconds_per_picture(self) -> float:
        """Measures what a 1080p picture takes alone, from pixels to boxes; call it after `warm_up`."""
        return measure_seconds_per_picture(self)

    def close(self) -> None:
        """Closes the session. Idempotent."""
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
        transforms: list[LetterboxTransform] = []
        for picture, image in zip(pictures, batch, strict=False):
            transforms.append(self._preprocess(picture, image))
            ticks.append(time.perf_counter())
        outputs = self._session.run(batch)
        start = time.perf_counter()
        infer_ms = 1000 * (start - ticks[-1]) / len(pictures)
        detected: list[Detected] = []
        for i, (picture, transform) in enumerate(zip(pictures, transforms, strict=True)):
            detections = self._in_frame(self._decoder.decode(outputs, i, self.rules), transform, picture)
            end = time.perf_counter()
            times = StageTimes(1000 * (ticks[i + 1] - ticks[i]), infer_ms, 1000 * (end - start))
            detected.append(Detected(detections, times))
            start = end
        return detected

    def _in_frame(self, raw: RawDetections, transform: LetterboxTransform, picture: Picture) -> Detections:
        boxes = transform.boxes_to_frame(raw.boxes_xyxy, picture.width, picture.height)
        visible = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])  # overlaps the picture
        detections = Detections(boxes, raw.scores, raw.class_ids, labels=self.spec.labels)
        return detections if visible.all() else detections[visible]


def _rules(spec: ModelSpec, options: DetectorOptions, classes: int, conf: float) -> PostprocessRules:
    labels = spec.labels or tuple(str(i) for i in range(classes))
    iou = spec.iou if options.iou is None else options.iou
    wanted = select_classes(labels, options.classes)
    return PostprocessRules(conf, iou, wanted, options.max_detections, options.class_agnostic_nms)


def _check_input(spec: ModelSpec, tensor: Tensor) -> None:
    """Checks that a spec fits the model input.

    Raises:
        ModelError: it does not.
    """
    expected = (3, spec.height, spec.width) if spec.nchw else (spec.height, spec.width, 3)
    sizes = [fixed_size(dimension) for dimension in tensor.shape]
    fits = len(sizes) == 4 and all(size in (0, wanted) for size, wanted in zip(sizes[1:], expected, strict=True))
    if not fits:
        raise ModelError(
            f"{spec.name} is described with input (n, {', '.join(map(str, expected))}), "
            f"takes {describe_tensors([tensor])}"
        )
    if (np.dtype(tensor.dtype) == np.uint8) != spec.uint8:
        raise ModelError(f"{spec.name} takes {np.dtype(tensor.dtype)}: correct `uint8` in its YAML description")
    if spec.uint8 and (any(spec.mean) or set(spec.std) != {1.0}):
        raise ModelError(
            f"{spec.name} takes bytes without normalization: remove `mean` and `std` from its YAML description"
        )


def _gray_picture(format: PixelFormat, width: int = 64, height: int = 48) -> Picture:
    shapes = plane_shapes(format, width, height)
    planes = tuple(np.full(shape, 128, np.uint8) for shape in shapes)
    return Picture(width, height, format, planes, ColorSpace())
